-- The oldest commands of a server that were not sent and are not given up, kept from other processes until the end of
-- the transaction.
SELECT id, action, args::text, actor
FROM commands
WHERE server_id = $1 AND sequence IS NULL AND outcome IS NULL AND wait_until > $2
ORDER BY asked_at, id
LIMIT $3
FOR UPDATE
