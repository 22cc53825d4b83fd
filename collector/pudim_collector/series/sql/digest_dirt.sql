-- Turn what commits have noted into units. Returns how many notes there were. A unit that is dirty already is written
-- all the same: who rolls it up at this moment has not seen what is noted here, and must fail. $1 at most this many
WITH taken AS (
    DELETE FROM dirt WHERE dirt_id IN (SELECT dirt_id FROM dirt ORDER BY dirt_id LIMIT $1) RETURNING sources, hours
), made AS (
    INSERT INTO unrolled (source_id, hour)
    SELECT DISTINCT pair.source_id, pair.hour FROM taken, unnest(taken.sources, taken.hours) AS pair (source_id, hour)
    ON CONFLICT (source_id, hour) DO UPDATE SET dirty = true
)
SELECT count(*) FROM taken
