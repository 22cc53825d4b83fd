-- Given-up mails wait again, with all their attempts and a new time to live.
UPDATE mail_outbox
SET dead_at = NULL, attempts = 0, next_at = $2, expires_at = greatest(expires_at, $3)
WHERE dead_at IS NOT NULL AND ($1::uuid IS NULL OR id = $1)
RETURNING id
