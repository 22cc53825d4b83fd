-- Answers to requests that carried an Idempotency-Key, for a day; and who still uses what is going to end.
CREATE TABLE api_answers (
    call bytea PRIMARY KEY, -- SHA-256 of who asked, where, and under which key
    asker uuid NOT NULL, -- the user or the API token
    body_hash bytea NOT NULL,
    made_at timestamptz NOT NULL,
    answer bytea NOT NULL -- sealed: it may hold a new secret
);
CREATE INDEX api_answers_asker ON api_answers (asker, made_at);
CREATE INDEX api_answers_made_at ON api_answers (made_at);

CREATE TABLE api_deprecated_uses (
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    operation text NOT NULL,
    asker uuid NOT NULL,
    asker_kind text NOT NULL,
    asker_name text NOT NULL,
    uses bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, operation, asker)
);
