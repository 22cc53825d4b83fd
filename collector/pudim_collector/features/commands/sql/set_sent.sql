-- A command was signed: its number is used from here on.
UPDATE commands
SET sequence = $2, sent_at = $3, expires_at = $4, digest = $5
WHERE id = $1
