-- $1 sources, $2 starts
DELETE FROM minute_blocks USING unnest($1::integer[], $2::timestamptz[]) AS unit (source_id, start)
WHERE minute_blocks.source_id = unit.source_id AND minute_blocks.start = unit.start
