-- What the store says of itself, and the sources that may be new: ids are given before their transaction commits, so
-- a lower one may appear after a higher one, but none two minutes after. $1 the id up to which all are known
SELECT
    store_state.told,
    sources.source_id, sources.server_id, sources.labels::text, sources.layout_id,
    sources.declared_at < now() - interval '2 minutes'
FROM store_state LEFT JOIN sources ON sources.source_id > $1
ORDER BY sources.source_id
