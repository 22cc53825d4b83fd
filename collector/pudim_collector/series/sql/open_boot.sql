-- The ledger's row of one boot, made on first sight. $1 server, $2 boot
WITH made AS (
    INSERT INTO ledger (server_id, boot_id) VALUES ($1, $2)
    ON CONFLICT (server_id, boot_id) DO NOTHING
    RETURNING ledger_id, last_seq
)
SELECT ledger_id, last_seq FROM made
UNION ALL
SELECT ledger_id, last_seq FROM ledger WHERE server_id = $1 AND boot_id = $2
LIMIT 1
