-- The newest word of each server's agent on each subject; what was said before is not kept.
CREATE TABLE notices (
    server_id uuid NOT NULL REFERENCES servers ON DELETE CASCADE,
    kind varchar(64) NOT NULL,
    at timestamptz NOT NULL, -- by the agent's clock
    received_at timestamptz NOT NULL,
    document jsonb NOT NULL,
    total integer, -- how many things it tells of, where they can be counted
    bad integer, -- how many of those need somebody
    lasting boolean NOT NULL, -- whether it holds until something else is said; figures do not
    PRIMARY KEY (server_id, kind)
);
