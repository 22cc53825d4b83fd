-- What is checked from which server, and which list of checks each agent should have by now.
CREATE TABLE checks (
    id uuid PRIMARY KEY,
    server_id uuid NOT NULL REFERENCES servers ON DELETE CASCADE, -- whose agent runs it
    name varchar(128) NOT NULL,
    kind varchar(64) NOT NULL,
    every_seconds double precision NOT NULL CHECK (every_seconds > 0),
    timeout_seconds double precision NOT NULL CHECK (timeout_seconds > 0),
    settings jsonb NOT NULL, -- without secret ones
    secrets bytea, -- the secret ones, sealed
    enabled boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX checks_server ON checks (server_id, name);

CREATE TABLE check_lists (
    server_id uuid PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    revision bigint NOT NULL -- grows with every change
);
