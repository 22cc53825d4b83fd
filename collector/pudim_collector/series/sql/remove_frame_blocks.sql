-- $1 sources, $2 starts
DELETE FROM frame_blocks USING unnest($1::integer[], $2::timestamptz[]) AS unit (source_id, start)
WHERE frame_blocks.source_id = unit.source_id AND frame_blocks.start = unit.start
