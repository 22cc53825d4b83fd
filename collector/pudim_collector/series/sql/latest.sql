-- The newest frame of each source. $1 servers, $2 not older than, $3 only layouts with one of these metrics, or null
SELECT sources.server_id, sources.source_id, sources.name, sources.labels::text, sources.layout_id, newest.time, newest.values
FROM sources
JOIN layouts USING (layout_id)
CROSS JOIN LATERAL (
    SELECT frames.time, frames.values FROM frames
    WHERE frames.source_id = sources.source_id AND frames.time >= $2
    ORDER BY frames.time DESC LIMIT 1
) AS newest
WHERE sources.server_id = ANY ($1) AND ($3::text[] IS NULL OR layouts.metrics && $3)
ORDER BY sources.source_id
