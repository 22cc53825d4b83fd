-- Second factors: the sealed secret of an authenticator app with its last used step, and hashes of recovery codes under a sealed key.
CREATE TABLE totp_secrets (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step bigint
);
CREATE UNIQUE INDEX totp_secrets_confirmed ON totp_secrets (user_id) WHERE confirmed_at IS NOT NULL;
CREATE UNIQUE INDEX totp_secrets_pending ON totp_secrets (user_id) WHERE confirmed_at IS NULL;

CREATE TABLE recovery_keys (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES recovery_keys ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
