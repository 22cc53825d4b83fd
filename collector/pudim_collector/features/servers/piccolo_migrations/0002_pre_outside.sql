-- Servers that have no agent: other programs bring metrics of them. They have no key, so no agent can speak for them.
ALTER TABLE servers
    ADD COLUMN kind varchar(16) NOT NULL DEFAULT 'agent' CHECK (kind IN ('agent', 'outside')),
    ADD COLUMN made_by uuid, -- the sender that first named it
    ADD COLUMN seen_at timestamptz, -- when metrics of it last came from outside
    ALTER COLUMN public_key DROP NOT NULL,
    ADD CONSTRAINT servers_key_of_an_agent CHECK ((kind = 'agent') = (public_key IS NOT NULL));
CREATE INDEX servers_name ON servers (name);
CREATE INDEX servers_made_by ON servers (made_by) WHERE made_by IS NOT NULL;
