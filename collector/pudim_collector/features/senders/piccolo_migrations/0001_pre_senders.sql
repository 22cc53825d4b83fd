-- Programs that bring metrics of their own, each with a token of which only the hash is kept, and what each does now.
CREATE TABLE senders (
    id uuid PRIMARY KEY,
    team uuid NOT NULL REFERENCES teams,
    made_by uuid REFERENCES users ON DELETE SET NULL,
    name varchar(128) NOT NULL,
    prefix varchar(32) NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    most_series integer NOT NULL CHECK (most_series > 0),
    most_servers integer NOT NULL CHECK (most_servers > 0),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    used_at timestamptz,
    series integer NOT NULL DEFAULT 0, -- that came in the ten minutes before used_at
    refused_points bigint NOT NULL DEFAULT 0, -- since it was made
    refused_at timestamptz,
    refused_said text -- why, the last time
);
