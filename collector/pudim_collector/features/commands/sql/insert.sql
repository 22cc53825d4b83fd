-- A command that waits to be sent.
INSERT INTO commands (id, server_id, action, args, actor, asked_at, wait_until)
SELECT $1, servers.id, $3, $4::jsonb, $5, $6, $7
FROM servers
WHERE
    servers.id = $2 AND servers.team_id = {team}
    AND ({servers}::uuid[] IS NULL OR servers.id = ANY ({servers}::uuid[]))
