-- All chains, also one whose head was removed; jumps from chain to chain instead of reading every entry.
WITH RECURSIVE found AS (
    (SELECT chain FROM audit_entries ORDER BY chain LIMIT 1)
    UNION ALL
    SELECT (SELECT e.chain FROM audit_entries AS e WHERE e.chain > found.chain ORDER BY e.chain LIMIT 1)
    FROM found WHERE found.chain IS NOT NULL
)
SELECT chain FROM found WHERE chain IS NOT NULL UNION SELECT chain FROM audit_chains ORDER BY 1
