-- The chain goes on from this report, whether or not it was the next one; that it was not stays to be seen.
UPDATE command_chains
SET
    reports = $2,
    head = $3,
    broken_at = CASE WHEN $5::text IS NULL THEN broken_at ELSE $4 END,
    broken = coalesce($5, broken)
WHERE server_id = $1
