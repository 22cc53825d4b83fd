-- Roll units up again. $1 sources, $2 hours
INSERT INTO unrolled (source_id, hour) SELECT * FROM unnest($1::integer[], $2::integer[])
ON CONFLICT (source_id, hour) DO UPDATE SET dirty = true
RETURNING source_id
