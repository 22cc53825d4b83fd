-- Newest notices of any servers, and word of them, a hundred servers in one. A server that is gone is passed over, and
-- so is what another process has newer. $1 servers, $2 kinds, $3 at, $4 received at, $5 documents, $6 totals, $7 bad
-- ones, $8 lasting, $9 the channel
WITH saved AS (
    INSERT INTO notices (server_id, kind, at, received_at, document, total, bad, lasting)
    SELECT said.server_id, said.kind, said.at, said.received_at, said.document::jsonb, said.total, said.bad, said.lasting
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::integer[], $7::integer[],
        $8::boolean[]) AS said (server_id, kind, at, received_at, document, total, bad, lasting)
    JOIN servers ON servers.id = said.server_id AND servers.revoked_at IS NULL
    ON CONFLICT (server_id, kind) DO UPDATE SET
        at = excluded.at,
        received_at = excluded.received_at,
        document = excluded.document,
        total = excluded.total,
        bad = excluded.bad,
        lasting = excluded.lasting
    WHERE notices.received_at <= excluded.received_at
    RETURNING server_id
), numbered AS (
    SELECT server_id, row_number() OVER () / 100 AS piece FROM (SELECT DISTINCT server_id FROM saved) AS servers
)
SELECT pg_notify($9, string_agg(replace(server_id::text, '-', ''), ' ')) FROM numbered GROUP BY piece
