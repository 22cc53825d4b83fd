-- Put a chain's anchor onto the newest entry that is beyond its retention; nothing where there is none.
INSERT INTO audit_anchors AS a (chain, sequence, hash, at, moved_at)
SELECT e.chain, e.sequence, e.hash, e.at, $3
FROM audit_entries AS e
WHERE e.chain = $1 AND e.sequence = coalesce(
    (
        SELECT young.sequence - 1 FROM audit_entries AS young
        WHERE young.chain = $1 AND young.at > $3 - make_interval(days => $2)
        ORDER BY young.sequence LIMIT 1
    ),
    (SELECT max(every.sequence) FROM audit_entries AS every WHERE every.chain = $1)
)
ON CONFLICT (chain) DO UPDATE SET
    sequence = excluded.sequence, hash = excluded.hash, at = excluded.at, moved_at = excluded.moved_at
    WHERE excluded.sequence > a.sequence
RETURNING sequence, hash
