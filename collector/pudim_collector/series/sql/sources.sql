-- The sources of some servers whose layout has a metric. $1 servers, $2 metric
SELECT sources.server_id, sources.source_id, sources.labels::text, sources.layout_id
FROM sources JOIN layouts USING (layout_id)
WHERE sources.server_id = ANY ($1) AND layouts.metrics @> ARRAY[$2::text]
ORDER BY sources.source_id
