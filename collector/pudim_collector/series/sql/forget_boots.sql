-- Boots of which nothing will come again: not the newest of their server, and without a batch for long.
-- $1 none since
DELETE FROM ledger
WHERE coalesce(ledger.stored_at, ledger.opened_at) < $1
AND EXISTS (
    SELECT FROM ledger AS newer WHERE newer.server_id = ledger.server_id AND newer.ledger_id > ledger.ledger_id
)
RETURNING ledger_id
