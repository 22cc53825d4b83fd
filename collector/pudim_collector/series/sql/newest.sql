-- The newest value of each place, with the place's number. The upper bound keeps empty partitions of the future out.
-- What an agent could not measure is unknown; a frame from outside is put together of parts, and one without the value
-- says nothing of it. One more row tells the state that they were read in. $1 sources, $2 positions, $3 not older than, $4 older than
SELECT place.number::integer, newest.time, newest.value, NULL AS told
FROM unnest($1::integer[], $2::integer[]) WITH ORDINALITY AS place (source_id, position, number)
CROSS JOIN LATERAL (
    SELECT frames.time, frames.values[place.position] AS value FROM frames
    WHERE frames.source_id = place.source_id AND frames.time >= $3 AND frames.time < $4
        AND (
            frames.values[place.position] <> 'NaN'
            OR NOT (SELECT jsonb_exists(labels, 'pudim.sender') FROM sources WHERE source_id = place.source_id)
        )
    ORDER BY frames.source_id DESC, frames.time DESC LIMIT 1
) AS newest
UNION ALL
SELECT NULL, NULL, NULL, convert_to(told, 'UTF8') FROM store_state
