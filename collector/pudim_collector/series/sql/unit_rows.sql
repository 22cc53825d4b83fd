-- The frames of units that are still rows: times and values of each unit as one array. The bounds let the planner
-- see which partitions matter. $1 sources, $2 beginnings of hours, $3 the first beginning, $4 the last end
SELECT unit.number::integer, found.times, found.values
FROM unnest($1::integer[], $2::timestamptz[]) WITH ORDINALITY AS unit (source_id, start, number)
CROSS JOIN LATERAL (
    SELECT array_agg(time) AS times, array_agg(values) AS values FROM frames
    WHERE frames.source_id = unit.source_id
    AND frames.time >= unit.start AND frames.time < unit.start + interval '1 hour'
    AND frames.time >= $3 AND frames.time < $4
) AS found
WHERE found.times IS NOT NULL
