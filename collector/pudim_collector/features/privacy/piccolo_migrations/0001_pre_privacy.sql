-- People whose accounts were deleted, by the name that takes theirs; and how many days rows are kept where that was changed.
CREATE TABLE deleted_people (
    id uuid PRIMARY KEY, -- the account's
    pseudonym varchar(64) NOT NULL,
    tokens uuid[] NOT NULL, -- the API tokens that went with it
    deleted_at timestamptz NOT NULL
);
CREATE INDEX deleted_people_deleted_at ON deleted_people (deleted_at);

CREATE TABLE retention_days (
    name varchar(64) PRIMARY KEY,
    days integer NOT NULL CHECK (days > 0)
);
