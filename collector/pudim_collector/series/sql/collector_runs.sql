-- When collectors ran, in milliseconds. $1 seen since
SELECT (extract(epoch FROM started_at) * 1000)::bigint, (extract(epoch FROM seen_at) * 1000)::bigint
FROM collector_runs WHERE seen_at >= $1 ORDER BY started_at
