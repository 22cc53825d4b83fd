-- From which networks a team (no token) or one of its tokens may be used; no row means from everywhere.
CREATE TABLE address_lists (
    id uuid PRIMARY KEY,
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    token_id uuid REFERENCES api_tokens ON DELETE CASCADE,
    networks text[] NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX address_lists_team ON address_lists (team_id) WHERE token_id IS NULL;
CREATE UNIQUE INDEX address_lists_token ON address_lists (token_id);
