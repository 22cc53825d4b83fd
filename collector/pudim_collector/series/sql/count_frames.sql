-- What the frames of some time are: rows, samples, the oldest and the newest. $1 from, $2 before
SELECT
    coalesce(sum(found.rows), 0)::bigint,
    coalesce(sum(found.rows * width.series), 0)::bigint,
    min(found.oldest),
    max(found.newest)
FROM (
    SELECT source_id, count(*) AS rows, min(time) AS oldest, max(time) AS newest FROM frames
    WHERE time >= $1 AND time < $2 GROUP BY source_id
) AS found
JOIN sources USING (source_id)
JOIN (SELECT layout_id, jsonb_array_length(series) AS series FROM layouts) AS width USING (layout_id)
