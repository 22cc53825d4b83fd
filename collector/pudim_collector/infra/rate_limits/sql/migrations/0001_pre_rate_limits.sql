-- What callers have used of their limits. Unlogged: after a crash everybody begins anew, and no write waits for the disk.
CREATE UNLOGGED TABLE rate_limits (
    key varchar(128) PRIMARY KEY,
    tat double precision NOT NULL
) WITH (fillfactor = 50);
