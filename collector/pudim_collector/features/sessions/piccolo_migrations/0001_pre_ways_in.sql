-- Half sessions: somebody proved one thing and owes another. Devices: browsers with which an account signed in before.
CREATE TABLE half_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hash bytea NOT NULL UNIQUE,
    step varchar(16) NOT NULL,
    path text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX half_sessions_user_id ON half_sessions (user_id);
CREATE INDEX half_sessions_expires_at ON half_sessions (expires_at);

CREATE TABLE known_devices (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
);
CREATE INDEX known_devices_user_id ON known_devices (user_id);
