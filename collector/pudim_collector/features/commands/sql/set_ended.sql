-- What the agent of that very server says of a command that was sent to it; the first word counts. An envelope that it did
-- not read is known by its digest.
UPDATE commands
SET ended_at = $4, outcome = $5, code = $6, detail = $7, output = $8, truncated = $9
WHERE server_id = $1 AND outcome IS NULL AND digest = $3 AND ($2::uuid IS NULL OR id = $2)
RETURNING id
