-- When each server's frames last reached the disk. $1 servers
SELECT server_id, max(stored_at) FROM ledger WHERE server_id = ANY ($1) AND stored_at IS NOT NULL GROUP BY server_id
