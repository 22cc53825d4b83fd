-- What the store says of itself in one word, so that a statement that reads can say as of when its rows are.
CREATE INDEX unrolled_hour ON unrolled (hour);

CREATE VIEW store_state AS
SELECT row_to_json(state)::text AS told
FROM (
    SELECT
        store.rolled_until, store.raw_since, store.forgotten,
        (SELECT min(hour) FROM unrolled) AS unrolled,
        (SELECT coalesce(json_object_agg(tier, days ORDER BY tier), '{}') FROM retention) AS days,
        (SELECT coalesce(max(source_id), 0) FROM sources) AS newest
    FROM store
) AS state;
