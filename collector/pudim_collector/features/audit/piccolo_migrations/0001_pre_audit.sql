-- Who did what, when, from where and with which result: append-only, each entry chained to the one before by its hash.
-- No references: an entry outlives the team, person and server that it tells of.

-- The head of each chain. `chain` is the team, or all zeros for the installation itself.
CREATE TABLE audit_chains (
    chain uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    previous bytea NOT NULL, -- the hash of the entry before the newest
    hash bytea NOT NULL -- the newest entry's
);

CREATE TABLE audit_entries (
    chain uuid NOT NULL,
    sequence bigint NOT NULL,
    team_id uuid, -- null: the installation's
    at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text NOT NULL, -- as it was then
    action text NOT NULL,
    target_kind text,
    target_id text,
    target_name text,
    address text NOT NULL,
    user_agent text NOT NULL,
    credential text, -- the session or token by which it was asked
    request_id text,
    result text NOT NULL CHECK (result IN ('done', 'refused', 'failed')),
    before jsonb,
    after jsonb,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    words tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector(
            'simple'::regconfig,
            translate(
                actor_name || ' ' || action || ' ' || coalesce(target_kind, '') || ' ' || coalesce(target_name, '')
                || ' ' || coalesce(target_id, '') || ' ' || address || ' ' || result || ' '
                || coalesce(before::text, '') || ' ' || coalesce(after::text, ''),
                './_-@:"{}[],', '            '
            )
        )
    ) STORED,
    PRIMARY KEY (chain, sequence)
);
CREATE INDEX audit_entries_at ON audit_entries (chain, at);
CREATE INDEX audit_entries_actor ON audit_entries (chain, actor_id, sequence);
CREATE INDEX audit_entries_action ON audit_entries (chain, action, sequence);
CREATE INDEX audit_entries_target ON audit_entries (chain, target_id, sequence);
CREATE INDEX audit_entries_address ON audit_entries (chain, address, sequence);
CREATE INDEX audit_entries_unusual ON audit_entries (chain, result, sequence) WHERE result <> 'done';
CREATE INDEX audit_entries_words ON audit_entries USING gin (words);

-- What retention took away: up to and with `sequence`, whose hash the oldest entry that is left goes on from.
CREATE TABLE audit_anchors (
    chain uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL, -- the last removed entry's time
    moved_at timestamptz NOT NULL
);

CREATE TABLE audit_settings (
    chain uuid PRIMARY KEY,
    days integer NOT NULL CHECK (days BETWEEN 30 AND 3650)
);

-- The networks that each API token was used from, so that a new one is told.
CREATE TABLE audit_networks (
    token_id uuid NOT NULL,
    network text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (token_id, network)
);

-- Where entries are sent to. `sequence` is the last one that the receiver has.
CREATE TABLE audit_receivers (
    id uuid PRIMARY KEY,
    chain uuid NOT NULL,
    name varchar(128) NOT NULL,
    kind varchar(32) NOT NULL,
    settings jsonb NOT NULL,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    failing_since timestamptz,
    failures integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    last_error text
);
CREATE INDEX audit_receivers_chain ON audit_receivers (chain);

CREATE FUNCTION audit_refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM audit_anchors AS a WHERE a.chain = OLD.chain AND OLD.sequence <= a.sequence
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'entries of the audit log are not changed, and go only by retention'
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_changes();
CREATE TRIGGER audit_entries_stay_whole BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_changes();

-- An anchor moves forward only, onto an entry that is there, is old enough by the team's retention, and has this hash.
CREATE FUNCTION audit_check_anchor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days integer := coalesce((SELECT s.days FROM audit_settings AS s WHERE s.chain = NEW.chain), 400);
    entry audit_entries%ROWTYPE;
BEGIN
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND (NEW.chain <> OLD.chain OR NEW.sequence < OLD.sequence)) THEN
        RAISE EXCEPTION 'an anchor of the audit log does not go back' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.moved_at > now() + interval '1 minute' THEN
        RAISE EXCEPTION 'an anchor of the audit log is not moved in the future' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Where there is nothing that it could let go, it comes out of a backup.
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM audit_chains AS c WHERE c.chain = NEW.chain) THEN
        RETURN NEW;
    END IF;
    SELECT * INTO entry FROM audit_entries AS e WHERE e.chain = NEW.chain AND e.sequence = NEW.sequence;
    IF NOT FOUND OR entry.hash <> NEW.hash OR entry.at <> NEW.at
        OR entry.at > NEW.moved_at - make_interval(days => days) THEN
        RAISE EXCEPTION 'this entry of the audit log is not beyond its retention'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_anchors_hold BEFORE INSERT OR UPDATE OR DELETE ON audit_anchors
    FOR EACH ROW EXECUTE FUNCTION audit_check_anchor();
