-- Managed hosts, and the single-use tokens by which their agents are enrolled.
CREATE TABLE servers (
    id uuid PRIMARY KEY,
    name varchar(256) NOT NULL,
    public_key bytea NOT NULL,
    enrolled_at timestamptz NOT NULL,
    revoked_at timestamptz,
    opened_at timestamptz,
    agent_version varchar(256),
    facts jsonb NOT NULL
);

CREATE TABLE enrolment_tokens (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    name varchar(256),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    server_id uuid REFERENCES servers
);
