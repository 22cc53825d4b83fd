-- What an entry tells of a person can be erased while the chain still holds: it is in the entry's hash by a commitment, under a
-- random salt that goes with it. `who` stands for the actor's name, address and program, `what` for the target's name and
-- what was before and after. Entries of before have no salts: of those the digest of the whole is kept instead.
ALTER TABLE audit_entries
    ADD COLUMN who_proof bytea, -- 16 bytes: the salt; 32: what is left of an erased part
    ADD COLUMN what_proof bytea,
    ADD COLUMN whole_proof bytea,
    ADD COLUMN erased_for uuid[]; -- the people for whom something of it was erased

-- Entries are not changed, but for a person who was deleted: his pseudonym in his name's place, and otherwise nothing in its place.
CREATE OR REPLACE FUNCTION audit_refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    called text;
    who_stays boolean;
    what_stays boolean;
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM audit_anchors AS a WHERE a.chain = OLD.chain AND OLD.sequence <= a.sequence
    ) THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT gone.pseudonym INTO called FROM deleted_people AS gone
        WHERE gone.id = NEW.erased_for[cardinality(NEW.erased_for)]
            AND NEW.erased_for = array_append(OLD.erased_for, gone.id);
        who_stays := (NEW.actor_name, NEW.address, NEW.user_agent, NEW.who_proof)
            IS NOT DISTINCT FROM (OLD.actor_name, OLD.address, OLD.user_agent, OLD.who_proof);
        what_stays := (NEW.target_name, NEW.before, NEW.after, NEW.what_proof)
            IS NOT DISTINCT FROM (OLD.target_name, OLD.before, OLD.after, OLD.what_proof);
        IF called IS NOT NULL
            AND (
                NEW.chain, NEW.sequence, NEW.team_id, NEW.at, NEW.actor_kind, NEW.actor_id, NEW.action, NEW.target_kind,
                NEW.target_id, NEW.credential, NEW.request_id, NEW.result, NEW.previous, NEW.hash
            ) IS NOT DISTINCT FROM (
                OLD.chain, OLD.sequence, OLD.team_id, OLD.at, OLD.actor_kind, OLD.actor_id, OLD.action, OLD.target_kind,
                OLD.target_id, OLD.credential, OLD.request_id, OLD.result, OLD.previous, OLD.hash
            )
            AND (who_stays OR (NEW.actor_name = called AND NEW.address = '' AND NEW.user_agent = ''))
            AND (
                what_stays
                OR (
                    (NEW.target_name = called OR NEW.target_name IS NOT DISTINCT FROM OLD.target_name)
                    AND NEW.before IS NULL AND NEW.after IS NULL
                )
            )
            AND (
                NEW.whole_proof IS NOT DISTINCT FROM OLD.whole_proof
                OR (OLD.whole_proof IS NULL AND OLD.who_proof IS NULL AND octet_length(NEW.whole_proof) = 32)
            )
            AND (NEW.who_proof IS NULL OR who_stays OR octet_length(NEW.who_proof) = 32)
            AND (NEW.what_proof IS NULL OR what_stays OR octet_length(NEW.what_proof) = 32)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'entries of the audit log are not changed, and go only by retention'
        USING ERRCODE = 'insufficient_privilege';
END
$$;
