-- What the frames mean, and how far each agent's boots are stored. The table of frames itself is made by the
-- backend that the server offers.
CREATE TABLE layouts (
    layout_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    metrics text[] NOT NULL,
    series jsonb NOT NULL -- [[metric, unit, {label: value}], ...] in the order of a frame's values
);
CREATE INDEX layouts_metrics ON layouts USING gin (metrics);

CREATE TABLE sources (
    source_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server_id uuid NOT NULL,
    hash bytea NOT NULL,
    name text NOT NULL,
    labels jsonb NOT NULL,
    layout_id integer NOT NULL REFERENCES layouts,
    declared_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (server_id, hash)
);

-- One row a boot of an agent: every batch up to last_seq is stored, and `lost` of them never came.
-- It is updated with every commit, so pages keep room for heap-only updates.
CREATE TABLE ledger (
    ledger_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server_id uuid NOT NULL,
    boot_id bytea NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    lost bigint NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL DEFAULT now(),
    stored_at timestamptz, -- of the newest commit, by the database's clock
    UNIQUE (server_id, boot_id)
) WITH (fillfactor = 50);

CREATE TABLE store (
    backend text NOT NULL,
    chosen_at timestamptz NOT NULL DEFAULT now(),
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);
