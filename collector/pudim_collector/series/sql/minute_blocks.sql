-- Whole minute blocks. $1 sources, $2 their starts
SELECT block.source_id, block.start, block.rows, block.times, block.offsets, block.body
FROM unnest($1::integer[], $2::timestamptz[]) AS unit (source_id, start)
JOIN minute_blocks AS block ON block.source_id = unit.source_id AND block.start = unit.start
