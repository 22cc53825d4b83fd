-- Raw frames of runs of neighbouring series, as rows and in blocks, in one snapshot: a frame that is moved from a row
-- into a block meanwhile is seen once. Rows of runs of one width come as three arrays, blocks one by one. OFFSET 0 keeps
-- the plan, made once for all ranges, from reading every source's blocks of the range. One more row tells the state that
-- they were read in.
-- $1 numbers, $2 sources, $3 first positions, $4 last positions, $5 from, $6 to, $7 from, on the full hour
SELECT
    NULL::integer AS number, NULL::bytea AS packed, NULL::integer[] AS offsets, NULL::bytea AS body,
    kept.numbers, kept.times, kept.values
FROM (
    SELECT DISTINCT last - first AS width
    FROM unnest($3::integer[], $4::integer[]) AS run (first, last)
) AS alike
CROSS JOIN LATERAL (
    SELECT
        array_agg(run.number) AS numbers, array_agg(frames.time) AS times,
        array_agg(frames.values[run.first:run.last]) AS values
    FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) AS run (number, source_id, first, last)
    JOIN frames ON frames.source_id = run.source_id AND frames.time >= $5 AND frames.time < $6
    WHERE run.last - run.first = alike.width
) AS kept
WHERE kept.numbers IS NOT NULL
UNION ALL
SELECT
    run.number, block.times, CASE WHEN run.first < run.last THEN block.offsets[run.first:run.last + 1] END,
    substring(block.body FROM block.offsets[run.first] + 1 FOR block.offsets[run.last + 1] - block.offsets[run.first]),
    NULL, NULL, NULL
FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) AS run (number, source_id, first, last)
CROSS JOIN LATERAL (
    SELECT times, offsets, body FROM frame_blocks
    WHERE source_id = run.source_id AND start >= $7 AND start < $6 OFFSET 0
) AS block
UNION ALL
SELECT -1, convert_to(told, 'UTF8'), NULL, NULL, NULL, NULL, NULL FROM store_state
