-- The shelves of one target, oldest first, that are newer than those known. $1 server, $2 name, $3 labels, $4 newest known
SELECT sources.source_id, layouts.series::text
FROM sources JOIN layouts USING (layout_id)
WHERE sources.server_id = $1 AND sources.name = $2 AND sources.labels = $3::jsonb AND sources.source_id > $4
ORDER BY sources.source_id
