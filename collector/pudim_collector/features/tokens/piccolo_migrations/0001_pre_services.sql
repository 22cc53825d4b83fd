-- Tokens of a team's services beside those of people: with nobody in `made_by`, no membership bears them, and who made one is
-- only remembered. A secret that was renewed is good until `previous_ends_at`. `warned` is how many days before the end
-- somebody was told last.
ALTER TABLE api_tokens
    ADD COLUMN created_by uuid REFERENCES users ON DELETE SET NULL,
    ADD COLUMN previous_hash bytea UNIQUE,
    ADD COLUMN previous_ends_at timestamptz,
    ADD COLUMN warned smallint;
CREATE INDEX api_tokens_team ON api_tokens (team, created_at);
CREATE INDEX api_tokens_end ON api_tokens (expires_at) WHERE revoked_at IS NULL;
-- Who manages all tokens has his own too: that is a permission of its own from now on.
UPDATE api_tokens SET scopes = array_append(scopes, 'tokens:own') WHERE 'tokens:manage' = ANY (scopes);
UPDATE roles SET permissions = array_append(permissions, 'tokens:own') WHERE 'tokens:manage' = ANY (permissions);
