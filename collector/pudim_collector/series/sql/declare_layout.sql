-- The update happens only where another writer was faster: it waits for that one's row, which a snapshot does not show.
-- $1 hash, $2 metrics, $3 series
WITH found AS (
    SELECT layout_id FROM layouts WHERE hash = $1
), made AS (
    INSERT INTO layouts (hash, metrics, series) SELECT $1, $2::text[], $3::jsonb WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash
    RETURNING layout_id
)
SELECT layout_id FROM found UNION ALL SELECT layout_id FROM made
