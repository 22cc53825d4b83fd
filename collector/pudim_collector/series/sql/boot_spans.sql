-- The boots of some servers that have frames. $1 servers, or null for all, $2 default interval
SELECT server_id, first_ms, last_ms, coalesce(interval_ms, $2::integer) FROM ledger
WHERE ($1::uuid[] IS NULL OR server_id = ANY ($1)) AND first_ms IS NOT NULL
ORDER BY server_id, first_ms
