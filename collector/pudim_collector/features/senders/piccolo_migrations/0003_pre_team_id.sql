-- The team's column is called as in every other table.
ALTER TABLE senders RENAME COLUMN team TO team_id;
