-- How the store grew: its size at the end of each day, and what was counted in each piece the last time.
CREATE TABLE storage_days (
    day date PRIMARY KEY,
    raw bigint NOT NULL,
    minute bigint NOT NULL,
    hour bigint NOT NULL,
    database bigint NOT NULL
);

-- A piece is counted again when its bytes have changed.
CREATE TABLE storage_pieces (
    name text PRIMARY KEY,
    bytes bigint NOT NULL,
    rows bigint NOT NULL,
    samples bigint NOT NULL,
    oldest timestamptz,
    newest timestamptz
);
