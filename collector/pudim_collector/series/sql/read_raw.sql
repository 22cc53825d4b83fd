-- Raw frames of runs of neighbouring series, as rows and in blocks, in one snapshot: a frame that is moved from a row
-- into a block meanwhile is seen once. $1 numbers, $2 sources, $3 first positions, $4 last positions, $5 from, $6 to,
-- $7 from, on the full hour
SELECT run.number, NULL::bytea AS packed, NULL::integer[] AS offsets, NULL::bytea AS body, kept.times, kept.values
FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) AS run (number, source_id, first, last)
CROSS JOIN LATERAL (
    SELECT array_agg(frames.time) AS times, array_agg(frames.values[run.first:run.last]) AS values
    FROM frames
    WHERE frames.source_id = run.source_id AND frames.time >= $5 AND frames.time < $6
) AS kept
WHERE kept.times IS NOT NULL
UNION ALL
SELECT
    run.number, block.times, block.offsets[run.first:run.last + 1],
    substring(block.body FROM block.offsets[run.first] + 1 FOR block.offsets[run.last + 1] - block.offsets[run.first]),
    NULL, NULL
FROM unnest($1::integer[], $2::integer[], $3::integer[], $4::integer[]) AS run (number, source_id, first, last)
JOIN frame_blocks AS block ON block.source_id = run.source_id AND block.start >= $7 AND block.start < $6
