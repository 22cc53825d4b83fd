-- The newest frame of each source. One from outside is put together of parts, so of these the newest 64 frames, which
-- is as many as a shelf has series. $1 servers, $2 not older than, $3 only layouts with one of these metrics, or null
SELECT sources.server_id, sources.source_id, sources.name, sources.labels::text, sources.layout_id, newest.time, newest.values
FROM sources
JOIN layouts USING (layout_id)
CROSS JOIN LATERAL (
    SELECT frames.time, frames.values FROM frames
    WHERE frames.source_id = sources.source_id AND frames.time >= $2
    ORDER BY frames.time DESC LIMIT CASE WHEN jsonb_exists(sources.labels, 'pudim.sender') THEN 64 ELSE 1 END
) AS newest
WHERE sources.server_id = ANY ($1) AND ($3::text[] IS NULL OR layouts.metrics && $3)
ORDER BY sources.source_id
