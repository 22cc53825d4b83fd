-- A server's newest commands, or the one of that id.
SELECT
    id, server_id, action, args::text, actor, asked_at, wait_until, sequence, sent_at, expires_at,
    ended_at, outcome, code, detail, output, truncated
FROM commands
WHERE server_id = $1 AND ($2::uuid IS NULL OR id = $2)
ORDER BY asked_at DESC, id DESC
LIMIT $3
