-- Hours of servers that are over and wait to be rolled up: of them the minutes do not tell everything yet.
-- $1 hours before this one
SELECT DISTINCT sources.server_id, unrolled.hour
FROM unrolled JOIN sources USING (source_id)
WHERE unrolled.dirty AND unrolled.hour < $1
