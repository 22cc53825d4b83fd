-- Whether a team demands a second factor of its members.
ALTER TABLE teams ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false;
