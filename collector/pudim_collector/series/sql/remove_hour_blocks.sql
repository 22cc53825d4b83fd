-- $1 sources, $2 starts
DELETE FROM hour_blocks USING unnest($1::integer[], $2::timestamptz[]) AS unit (source_id, start)
WHERE hour_blocks.source_id = unit.source_id AND hour_blocks.start = unit.start
