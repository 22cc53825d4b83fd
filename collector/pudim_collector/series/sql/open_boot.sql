-- The ledger's row of one boot, made on first sight. The update happens only where another writer was faster: it
-- waits for that one's row, which a snapshot does not show. $1 server, $2 boot, $3 its interval
WITH found AS (
    SELECT ledger_id, last_seq, last_ms FROM ledger WHERE server_id = $1 AND boot_id = $2
), made AS (
    INSERT INTO ledger (server_id, boot_id, interval_ms)
    SELECT $1, $2, $3::integer WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (server_id, boot_id) DO UPDATE SET boot_id = excluded.boot_id
    RETURNING ledger_id, last_seq, last_ms
)
SELECT ledger_id, last_seq, last_ms FROM found UNION ALL SELECT ledger_id, last_seq, last_ms FROM made
