-- Each server belongs to a team, and so does each token that adds one; those that were there to the first team.
ALTER TABLE servers ADD COLUMN team_id uuid REFERENCES teams;
UPDATE servers SET team_id = (SELECT id FROM teams ORDER BY created_at, id LIMIT 1);
ALTER TABLE servers ALTER COLUMN team_id SET NOT NULL;
CREATE INDEX servers_team ON servers (team_id);

ALTER TABLE enrolment_tokens ADD COLUMN team_id uuid REFERENCES teams ON DELETE CASCADE;
UPDATE enrolment_tokens SET team_id = (SELECT id FROM teams ORDER BY created_at, id LIMIT 1);
ALTER TABLE enrolment_tokens ALTER COLUMN team_id SET NOT NULL;

ALTER TABLE grants ADD FOREIGN KEY (server_id) REFERENCES servers ON DELETE CASCADE;

-- Whoever remembers which team has which servers is told by the version that it is not so any more.
CREATE FUNCTION advance_tenancy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tenancy SET version = version + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER servers_tenancy AFTER INSERT OR DELETE OR UPDATE OF team_id, tags ON servers
    FOR EACH STATEMENT EXECUTE FUNCTION advance_tenancy();
