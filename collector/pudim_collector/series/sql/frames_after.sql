-- Frames of one server after a time, oldest first. $1 server, $2 after, $3 at most,
-- $4 those from outside, instead of the agent's
SELECT sources.source_id, sources.name, sources.labels::text, sources.layout_id, frames.time, frames.values
FROM sources
JOIN frames ON frames.source_id = sources.source_id AND frames.time > $2
WHERE sources.server_id = $1 AND jsonb_exists(sources.labels, 'pudim.sender') = $4
ORDER BY frames.time, sources.source_id
LIMIT $3
