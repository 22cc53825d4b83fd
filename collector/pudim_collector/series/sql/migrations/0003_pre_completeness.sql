-- What the ledger must know so that a time without frames can be explained afterwards. Times of frames are milliseconds
-- since the epoch by the agent's clock, as on the wire.

-- Boots from before this have no span: their gaps are judged by their minutes alone.
ALTER TABLE ledger
    ADD COLUMN interval_ms integer, -- what the agent said it samples at when nobody watches
    ADD COLUMN first_ms bigint, -- of the oldest frame that is stored
    ADD COLUMN last_ms bigint; -- of the newest

-- Batches that came late, or after others that were lost; one row a run of late ones, however many they are.
CREATE TABLE arrivals (
    ledger_id bigint NOT NULL REFERENCES ledger ON DELETE CASCADE,
    seq bigint NOT NULL, -- the run's first
    after_ms bigint, -- the newest frame that stood before it in its boot
    first_ms bigint NOT NULL,
    last_ms bigint NOT NULL,
    lost bigint NOT NULL, -- batches directly before it that never came
    came_ms bigint NOT NULL, -- when the run's last arrived, by the collector's clock
    PRIMARY KEY (ledger_id, seq)
);

-- When a process that takes frames in was there: one row a start, renewed every few seconds.
CREATE TABLE collector_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
