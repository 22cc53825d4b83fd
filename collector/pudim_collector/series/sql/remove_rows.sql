-- Take the frames of units away that this snapshot sees; what came since then stays.
-- $1 sources, $2 beginnings of hours, $3 the first beginning, $4 the last end
DELETE FROM frames USING unnest($1::integer[], $2::timestamptz[]) AS unit (source_id, start)
WHERE frames.source_id = unit.source_id
AND frames.time >= unit.start AND frames.time < unit.start + interval '1 hour'
AND frames.time >= $3 AND frames.time < $4
