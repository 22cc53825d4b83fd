-- A server's newest commands, or the one of that id; of those, what comes after a place in this order.
SELECT
    id, server_id, action, args::text, actor, asked_at, wait_until, sequence, sent_at, expires_at,
    ended_at, outcome, code, detail, output, truncated
FROM commands
WHERE
    server_id = $1 AND ($2::uuid IS NULL OR commands.id = $2)
    AND ($4::timestamptz IS NULL OR (asked_at, id) < ($4, $5::uuid))
    AND server_id IN (
        SELECT id FROM servers
        WHERE team_id = {team} AND ({servers}::uuid[] IS NULL OR id = ANY ({servers}::uuid[]))
    )
ORDER BY asked_at DESC, id DESC
LIMIT $3
