-- Append one entry: one statement takes the chain's head, which orders concurrent writers, and moves it on.
WITH head AS (
    INSERT INTO audit_chains AS c (chain, sequence, previous, hash)
    VALUES ($1, 1, $2, sha256($2::bytea || int8send(1) || $3::bytea))
    ON CONFLICT (chain) DO UPDATE SET
        sequence = c.sequence + 1,
        previous = c.hash,
        hash = sha256(c.hash || int8send(c.sequence + 1) || $3::bytea)
    RETURNING sequence, previous, hash
)
INSERT INTO audit_entries (
    chain, sequence, team_id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name,
    address, user_agent, credential, request_id, result, before, after, who_proof, what_proof, previous, hash
)
SELECT $1, head.sequence, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18::jsonb, $19::jsonb,
    $20, $21, head.previous, head.hash
FROM head
RETURNING sequence
