-- Units have been rolled up: those whose hour is over are done. $1 sources, $2 hours, $3 hours before this are over
WITH units AS (
    SELECT * FROM unnest($1::integer[], $2::integer[]) AS unit (source_id, hour)
), done AS (
    DELETE FROM unrolled USING units
    WHERE unrolled.source_id = units.source_id AND unrolled.hour = units.hour AND units.hour < $3
)
UPDATE unrolled SET dirty = false FROM units
WHERE unrolled.source_id = units.source_id AND unrolled.hour = units.hour AND units.hour >= $3
