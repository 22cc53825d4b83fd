-- Buckets of any number of series in one statement, each series one row of columns. A NaN is missing, and so is what
-- no host measures: infinities, and figures whose squares, which avg needs, overflow and fail the statement.
-- $1 number of the series each source belongs to, $2 sources, $3 positions in their frames, $4 from, $5 to, $6 step
WITH buckets AS (
    SELECT
        wanted.series,
        date_bin($6::interval, frames.time, 'epoch') AS bucket,
        min(sample.value) AS low,
        avg(sample.value) AS mean,
        max(sample.value) AS high,
        count(sample.value) AS samples
    FROM unnest($1::integer[], $2::integer[], $3::integer[]) AS wanted (series, source_id, position)
    JOIN frames ON frames.source_id = wanted.source_id AND frames.time >= $4 AND frames.time < $5
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN abs(frames.values[wanted.position]) < 1e100 THEN frames.values[wanted.position]
        END AS value
    ) AS sample
    GROUP BY wanted.series, bucket
)
SELECT
    series,
    array_agg(extract(epoch FROM bucket)::float8 ORDER BY bucket),
    array_agg(low ORDER BY bucket),
    array_agg(mean ORDER BY bucket),
    array_agg(high ORDER BY bucket),
    array_agg(samples::float8 ORDER BY bucket)
FROM buckets
GROUP BY series
ORDER BY series
