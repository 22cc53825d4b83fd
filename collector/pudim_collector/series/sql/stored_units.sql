-- Sources that have raw frames or minutes of one hour, in order; whether upkeep has something to do there, and whether
-- their hour is not done for good. $1 the hour's beginning, $2 its end, $3 its number, $4 after this source, $5 at most
SELECT
    sources.source_id,
    sources.server_id,
    jsonb_array_length(layouts.series),
    EXISTS (SELECT FROM unrolled WHERE unrolled.source_id = sources.source_id AND unrolled.hour = $3 AND unrolled.dirty)
        OR EXISTS (
            SELECT FROM dirt, unnest(dirt.sources, dirt.hours) AS noted (source_id, hour)
            WHERE noted.source_id = sources.source_id AND noted.hour = $3
        ),
    EXISTS (SELECT FROM unrolled WHERE unrolled.source_id = sources.source_id AND unrolled.hour = $3)
FROM sources
JOIN layouts USING (layout_id)
WHERE sources.source_id > $4
AND (
    EXISTS (SELECT FROM frames WHERE frames.source_id = sources.source_id AND frames.time >= $1 AND frames.time < $2)
    OR EXISTS (SELECT FROM frame_blocks AS block WHERE block.source_id = sources.source_id AND block.start = $1)
    OR EXISTS (SELECT FROM minute_blocks AS block WHERE block.source_id = sources.source_id AND block.start = $1)
)
ORDER BY sources.source_id
LIMIT $5
