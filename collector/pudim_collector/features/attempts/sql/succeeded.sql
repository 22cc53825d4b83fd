-- Forget the attempts under the first keys; take the one that succeeded off the others, which somebody else may be failing at.
WITH forgotten AS (
    DELETE FROM attempts WHERE key = ANY($1::bytea[])
)
UPDATE attempts SET failures = GREATEST(failures - 1, 0) WHERE key = ANY($2::bytea[])
