-- What has to be rolled up, and how long each tier is kept. The tables of blocks are made by the backend.

-- One row a commit, in its transaction: the pairs of a source and an hour (since the epoch) that it brought frames for.
CREATE TABLE dirt (
    dirt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sources integer[] NOT NULL,
    hours integer[] NOT NULL
);

-- The same as single units, in the hands of the upkeep: an hour that is not over stays until it was rolled up after its end.
CREATE TABLE unrolled (
    source_id integer NOT NULL,
    hour integer NOT NULL,
    dirty boolean NOT NULL DEFAULT true,
    PRIMARY KEY (source_id, hour)
) WITH (fillfactor = 50);

-- How far everything recent is rolled up, by the clock of who did it.
ALTER TABLE store ADD COLUMN rolled_until timestamptz;
-- Raw frames before this have been dropped to stay within bytes; null: only their age counts.
ALTER TABLE store ADD COLUMN raw_since timestamptz;

CREATE TABLE retention (
    tier text PRIMARY KEY CHECK (tier IN ('raw', 'minute', 'hour')),
    days integer NOT NULL CHECK (days > 0),
    bytes bigint CHECK (bytes > 0) -- null: as much as there is
);
INSERT INTO retention (tier, days) VALUES ('raw', 7), ('minute', 60), ('hour', 730);
