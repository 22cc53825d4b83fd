-- Mails that were given up, the newest first, then those that wait, the oldest first.
SELECT id, recipient, template, made_at, attempts, next_at, dead_at, failed, failed_said
FROM mail_outbox
ORDER BY dead_at DESC NULLS LAST, made_at, id
LIMIT $1
