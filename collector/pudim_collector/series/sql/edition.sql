-- PostgreSQL's version, TimescaleDB's and its licence, null where it is not there.
SELECT
    split_part(current_setting('server_version'), ' ', 1),
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
    CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
        THEN current_setting('timescaledb.license', true)
    END
