-- A collector is there: its run goes on, or a new one begins after a while without a word.
-- $1 its run or null, $2 now, $3 seen since then it goes on
WITH renewed AS (
    UPDATE collector_runs SET seen_at = $2 WHERE run_id = $1::bigint AND seen_at >= $3 RETURNING run_id
), begun AS (
    INSERT INTO collector_runs (started_at, seen_at) SELECT $2, $2 WHERE NOT EXISTS (SELECT FROM renewed)
    RETURNING run_id
)
SELECT run_id FROM renewed UNION ALL SELECT run_id FROM begun
