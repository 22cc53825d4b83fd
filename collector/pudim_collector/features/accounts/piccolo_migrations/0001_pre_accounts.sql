-- Who may use Pudim: the team, its people, their sessions, tokens for programs, and links that make the first owner.
CREATE TABLE teams (
    id uuid PRIMARY KEY,
    name varchar(128) NOT NULL,
    created_at timestamptz NOT NULL
);
-- One team for now; several processes that start at once on an empty database agree on it by this.
CREATE UNIQUE INDEX teams_only_one ON teams ((true));

CREATE TABLE users (
    id uuid PRIMARY KEY,
    team uuid NOT NULL REFERENCES teams,
    name varchar(128) NOT NULL,
    email varchar(254) NOT NULL,
    email_key varchar(254) NOT NULL UNIQUE,
    password_hash text NOT NULL,
    role varchar(32) NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    address varchar(64) NOT NULL,
    user_agent varchar(256) NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE api_tokens (
    id uuid PRIMARY KEY,
    team uuid NOT NULL REFERENCES teams,
    made_by uuid REFERENCES users ON DELETE CASCADE,
    name varchar(128) NOT NULL,
    prefix varchar(32) NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    role varchar(32) NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);

CREATE TABLE setup_links (
    id uuid PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
