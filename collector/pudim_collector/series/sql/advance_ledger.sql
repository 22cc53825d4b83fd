-- Move boots forward, each only from where this writer believes it stands, and tell who listens.
-- The sources and hours that this commit's frames are of are noted for the rollups, and batches that came late or
-- after lost ones for the completeness; there are hardly ever any.
-- $1 ledger ids, $2 from seq, $3 to seq, $4 lost, $5 first and $6 last time of their frames, $7 notification,
-- $8 sources, $9 their hours, $10 ledger ids of runs of batches, $11 their first seq, $12 the time stored before,
-- $13 first and $14 last time, $15 lost, $16 when they came
WITH moved AS (
    UPDATE ledger SET
        last_seq = step.to_seq,
        lost = ledger.lost + step.lost,
        first_ms = least(ledger.first_ms, step.first_ms),
        last_ms = greatest(ledger.last_ms, step.last_ms),
        stored_at = now()
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS step (ledger_id, from_seq, to_seq, lost, first_ms, last_ms)
    WHERE ledger.ledger_id = step.ledger_id AND ledger.last_seq = step.from_seq
    RETURNING ledger.ledger_id
), noted AS (
    INSERT INTO dirt (sources, hours) SELECT $8::integer[], $9::integer[] WHERE cardinality($8::integer[]) > 0
), remembered AS (
    INSERT INTO arrivals (ledger_id, seq, after_ms, first_ms, last_ms, lost, came_ms)
    SELECT * FROM unnest(
        $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[]
    )
    ON CONFLICT (ledger_id, seq) DO UPDATE SET last_ms = excluded.last_ms, came_ms = excluded.came_ms
)
SELECT array_agg(moved.ledger_id), pg_notify('pudim_committed', $7) FROM moved
