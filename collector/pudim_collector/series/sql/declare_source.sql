-- The update happens only where another writer was faster: it waits for that one's row, which a snapshot does not show.
-- $1 server, $2 hash, $3 name, $4 labels, $5 layout
WITH found AS (
    SELECT source_id FROM sources WHERE server_id = $1 AND hash = $2
), made AS (
    INSERT INTO sources (server_id, hash, name, labels, layout_id)
    SELECT $1, $2, $3::text, $4::jsonb, $5::integer WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (server_id, hash) DO UPDATE SET hash = excluded.hash
    RETURNING source_id
)
SELECT source_id FROM found UNION ALL SELECT source_id FROM made
