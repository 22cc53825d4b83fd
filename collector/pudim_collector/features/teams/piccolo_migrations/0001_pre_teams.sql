-- Several teams on one installation: who belongs to which and as what, a team's own roles, what is granted for single
-- servers, and who is invited. Who and what was there belongs to the team that was there.
DROP INDEX teams_only_one;
INSERT INTO teams (id, name, created_at)
SELECT gen_random_uuid(), 'Pudim', now() WHERE NOT EXISTS (SELECT FROM teams);

CREATE TABLE roles (
    id uuid PRIMARY KEY,
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    name varchar(64) NOT NULL,
    permissions text[] NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (team_id, id)
);
CREATE UNIQUE INDEX roles_name ON roles (team_id, lower(name));

CREATE TABLE memberships (
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role varchar(16) NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'guest', 'own')),
    own_role uuid CHECK ((role = 'own') = (own_role IS NOT NULL)),
    since timestamptz NOT NULL,
    PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (team_id, own_role) REFERENCES roles (team_id, id)
);
CREATE INDEX memberships_user ON memberships (user_id);
INSERT INTO memberships (team_id, user_id, role, since)
SELECT team, id, CASE WHEN role = 'owner' THEN 'owner' ELSE 'guest' END, created_at FROM users;

-- An operator looks after the installation itself, which is no team's: who made the first team does.
ALTER TABLE users ADD COLUMN operator boolean NOT NULL DEFAULT false;
UPDATE users SET operator = true WHERE role = 'owner';
-- The team that a browser is in.
ALTER TABLE sessions ADD COLUMN team_id uuid REFERENCES teams ON DELETE SET NULL;
UPDATE sessions SET team_id = (SELECT team FROM users WHERE users.id = sessions.user_id);
ALTER TABLE users DROP COLUMN team, DROP COLUMN role;

-- A token that an operator made may look after the installation, as long as he may.
ALTER TABLE api_tokens
    ADD COLUMN own_role uuid,
    ADD COLUMN operator boolean NOT NULL DEFAULT false,
    ADD FOREIGN KEY (team, own_role) REFERENCES roles (team_id, id),
    DROP CONSTRAINT api_tokens_team_fkey,
    ADD FOREIGN KEY (team) REFERENCES teams ON DELETE CASCADE;
UPDATE api_tokens SET operator = true WHERE role = 'owner';

CREATE TABLE grants (
    id uuid PRIMARY KEY,
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id uuid,
    token_id uuid REFERENCES api_tokens ON DELETE CASCADE,
    role varchar(16) NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'guest', 'own')),
    own_role uuid CHECK ((role = 'own') = (own_role IS NOT NULL)),
    server_id uuid, -- the servers' own migration says that it must exist
    tag varchar(64),
    made_at timestamptz NOT NULL,
    FOREIGN KEY (team_id, user_id) REFERENCES memberships ON DELETE CASCADE,
    FOREIGN KEY (team_id, own_role) REFERENCES roles (team_id, id),
    CHECK (num_nonnulls(user_id, token_id) = 1),
    CHECK (num_nonnulls(server_id, tag) = 1)
);
CREATE INDEX grants_user ON grants (user_id, team_id);
CREATE INDEX grants_token ON grants (token_id);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    email varchar(254) NOT NULL,
    email_key varchar(254) NOT NULL,
    role varchar(16) NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'guest', 'own')),
    own_role uuid CHECK ((role = 'own') = (own_role IS NOT NULL)),
    secret_hash bytea NOT NULL UNIQUE,
    made_by uuid REFERENCES users ON DELETE CASCADE, -- null: an API token; who is gone invites nobody
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (team_id, own_role) REFERENCES roles (team_id, id),
    UNIQUE (team_id, email_key)
);

-- The version of which team has which servers with which tags. It is read with whoever asks, so that what a process
-- remembers of it is as fresh as that.
CREATE TABLE tenancy (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version bigint NOT NULL
);
INSERT INTO tenancy (version) VALUES (1);
