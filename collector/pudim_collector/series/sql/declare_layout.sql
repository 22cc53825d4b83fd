-- $1 hash, $2 metrics, $3 series
WITH made AS (
    INSERT INTO layouts (hash, metrics, series) VALUES ($1, $2, $3)
    ON CONFLICT (hash) DO NOTHING
    RETURNING layout_id
)
SELECT layout_id FROM made
UNION ALL
SELECT layout_id FROM layouts WHERE hash = $1
LIMIT 1
