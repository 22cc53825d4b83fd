-- Remove what is forgotten by everybody, and beyond the most rows those whose last failure is the longest ago.
DELETE FROM attempts
WHERE last_at < $1::timestamptz
    OR last_at < (SELECT last_at FROM attempts ORDER BY last_at DESC OFFSET $2::bigint LIMIT 1)
