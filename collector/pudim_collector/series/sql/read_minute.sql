-- Rollups of runs of neighbouring series. Offsets count from 1 in SQL, columns of the body from 0. OFFSET 0
-- keeps the plan, made once for all ranges, from reading every source's blocks of the range. One more row tells the state
-- that they were read in.
-- $1 numbers, $2 sources, $3 first positions, $4 last positions, $5 from, on a block's beginning, $6 to
SELECT
    run.number, block.times, CASE WHEN run.first < run.last THEN block.offsets[run.first:run.last + 1] END,
    substring(block.body FROM block.offsets[run.first] + 1 FOR block.offsets[run.last + 1] - block.offsets[run.first])
FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) AS run (number, source_id, first, last)
CROSS JOIN LATERAL (
    SELECT times, offsets, body FROM minute_blocks
    WHERE source_id = run.source_id AND start >= $5 AND start < $6 OFFSET 0
) AS block
UNION ALL
SELECT -1, convert_to(told, 'UTF8'), NULL, NULL FROM store_state
