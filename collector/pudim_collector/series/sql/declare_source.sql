-- $1 server, $2 hash, $3 name, $4 labels, $5 layout
WITH made AS (
    INSERT INTO sources (server_id, hash, name, labels, layout_id) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (server_id, hash) DO NOTHING
    RETURNING source_id
)
SELECT source_id FROM made
UNION ALL
SELECT source_id FROM sources WHERE server_id = $1 AND hash = $2
LIMIT 1
