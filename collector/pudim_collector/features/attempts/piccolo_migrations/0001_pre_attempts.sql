-- Attempts that failed, each under a digest of what it is counted against: all processes share them, and a restart keeps them.
CREATE TABLE attempts (
    key bytea PRIMARY KEY,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL
);
CREATE INDEX attempts_last_at ON attempts (last_at);
