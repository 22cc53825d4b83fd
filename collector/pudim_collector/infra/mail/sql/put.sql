-- A new mail, unless too many wait already.
INSERT INTO mail_outbox (id, recipient, template, content, made_at, expires_at, next_at)
SELECT $1, $2, $3, $4, $5::timestamptz, $6, $5::timestamptz
WHERE (SELECT count(*) FROM mail_outbox WHERE dead_at IS NULL) < $7::bigint
RETURNING id
