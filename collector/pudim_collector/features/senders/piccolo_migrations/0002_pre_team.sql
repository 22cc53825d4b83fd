-- A team's senders go with it.
ALTER TABLE senders
    DROP CONSTRAINT senders_team_fkey,
    ADD FOREIGN KEY (team) REFERENCES teams ON DELETE CASCADE;
