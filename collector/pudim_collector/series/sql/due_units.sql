-- Units to roll up: dirty ones, and those whose hour is over. $1 hours before this are over, $2 not before this hour,
-- $3 at most this many
SELECT source_id, hour FROM unrolled
WHERE (dirty OR hour < $1) AND hour >= $2
ORDER BY source_id, hour
LIMIT $3
