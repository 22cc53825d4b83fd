-- Take $2 seconds' worth of the bucket $1, whose window is $3 seconds, by the database's clock: whether, and how far ahead it is.
WITH taken AS (
    INSERT INTO rate_limits AS held (key, tat)
    VALUES ($1, extract(epoch FROM clock_timestamp())::float8 + $2)
    ON CONFLICT (key) DO UPDATE
    SET tat = greatest(held.tat, extract(epoch FROM clock_timestamp())::float8) + $2
    WHERE greatest(held.tat - extract(epoch FROM clock_timestamp())::float8, 0) + $2 <= $3 + 1e-6
    RETURNING tat
)
SELECT true, tat - extract(epoch FROM clock_timestamp())::float8 FROM taken
UNION ALL
SELECT false, tat - extract(epoch FROM clock_timestamp())::float8
FROM rate_limits WHERE key = $1 AND NOT EXISTS (SELECT FROM taken)
