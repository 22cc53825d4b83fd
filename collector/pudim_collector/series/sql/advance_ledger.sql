-- Move boots forward, each only from where this writer believes it stands, and tell who listens.
-- The sources and hours that this commit's frames are of are noted for the rollups.
-- $1 ledger ids, $2 from seq, $3 to seq, $4 lost, $5 notification, $6 sources, $7 their hours
WITH moved AS (
    UPDATE ledger SET last_seq = step.to_seq, lost = ledger.lost + step.lost, stored_at = now()
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS step (ledger_id, from_seq, to_seq, lost)
    WHERE ledger.ledger_id = step.ledger_id AND ledger.last_seq = step.from_seq
    RETURNING ledger.ledger_id
), noted AS (
    INSERT INTO dirt (sources, hours) SELECT $6::integer[], $7::integer[] WHERE cardinality($6::integer[]) > 0
)
SELECT array_agg(moved.ledger_id), pg_notify('pudim_committed', $5) FROM moved
