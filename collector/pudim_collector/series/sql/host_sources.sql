-- The sources that agents fill at each tick. $1 servers, $2 their name
SELECT server_id, source_id, layout_id FROM sources WHERE server_id = ANY ($1) AND name = $2
