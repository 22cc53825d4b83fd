-- A command that waits to be sent.
INSERT INTO commands (id, server_id, action, args, actor, asked_at, wait_until) VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7)
