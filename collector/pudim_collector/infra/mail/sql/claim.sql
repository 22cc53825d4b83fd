-- The mail that is due for longest, leased to who asks: a process that dies while it sends leaves it to the next one.
UPDATE mail_outbox SET attempts = attempts + 1, next_at = $2
WHERE id = (
    SELECT id FROM mail_outbox WHERE dead_at IS NULL AND next_at <= $1
    ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, recipient, template, content, made_at, expires_at, attempts
