-- What came late, after lost batches or after a pause. $1 servers, or null for all, $2 came since, in milliseconds
SELECT ledger.server_id, arrivals.after_ms, arrivals.first_ms, arrivals.last_ms, arrivals.lost, arrivals.came_ms
FROM arrivals JOIN ledger USING (ledger_id)
WHERE ($1::uuid[] IS NULL OR ledger.server_id = ANY ($1)) AND arrivals.came_ms >= $2
ORDER BY ledger.server_id, arrivals.first_ms
