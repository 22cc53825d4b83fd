-- Count an attempt under each key unless one of them has to wait yet: then count nothing and say how many seconds.
WITH asked AS (
    SELECT * FROM unnest($1::bytea[], $2::integer[], $3::float8[], $4::float8[], $5::float8[])
        AS one (key, free, first, most, forgotten_after)
), known AS (
    SELECT attempts.key, failures, last_at FROM attempts WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE
), waiting AS (
    SELECT LEAST(most, first * power(2, LEAST(failures - free, 30))) - extract(epoch FROM $6::timestamptz - last_at)
        AS seconds
    FROM asked JOIN known USING (key)
    WHERE failures >= free AND extract(epoch FROM $6::timestamptz - last_at) <= forgotten_after
), counted AS (
    INSERT INTO attempts AS before (key, failures, last_at)
    SELECT key, 1, $6::timestamptz FROM asked
    WHERE NOT EXISTS (SELECT FROM waiting WHERE seconds > 0)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE
            WHEN extract(epoch FROM $6::timestamptz - before.last_at)
                > (SELECT forgotten_after FROM asked WHERE asked.key = before.key) THEN 1
            ELSE LEAST(before.failures + 1, 1000000)
        END,
        last_at = GREATEST(before.last_at, excluded.last_at)
)
SELECT GREATEST(0, COALESCE(max(seconds), 0))::float8 FROM waiting
