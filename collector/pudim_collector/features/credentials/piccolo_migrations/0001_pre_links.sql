-- Links by mail, each for one use: to set a new password, and to confirm a new address.
CREATE TABLE password_resets (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL UNIQUE REFERENCES users ON DELETE CASCADE,
    secret_hash bytea NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE email_changes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL UNIQUE REFERENCES users ON DELETE CASCADE,
    email varchar(254) NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL
);
