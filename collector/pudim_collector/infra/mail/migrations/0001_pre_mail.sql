-- Mails that wait for the mail server, and those that were given up; a mail that was sent is gone from here.
CREATE TABLE mail_outbox (
    id uuid PRIMARY KEY,
    recipient varchar(254) NOT NULL,
    template varchar(64) NOT NULL,
    content bytea NOT NULL, -- subject, text and HTML, sealed: a mail may hold a link that signs somebody in
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, -- after which it says nothing that is true any more
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL, -- when it is due, or until when a process has leased it
    dead_at timestamptz, -- when it was given up
    failed varchar(64), -- why, the last time
    failed_said varchar(300) -- in the mail server's words
);
CREATE INDEX mail_outbox_due ON mail_outbox (next_at) WHERE dead_at IS NULL;
