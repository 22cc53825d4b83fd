-- Judged days. $1 servers, $2 days, $3 expected, $4 stored, $5 late, $6 states, $7 gaps, $8 gaps left out, $9 when judged
INSERT INTO completeness (server_id, day, expected, stored, late, state, gaps, gaps_left_out, computed_at)
SELECT judged.server_id, judged.day, judged.expected, judged.stored, judged.late, judged.state, judged.gaps::jsonb,
    judged.gaps_left_out, $9
FROM unnest($1::uuid[], $2::date[], $3::integer[], $4::integer[], $5::integer[], $6::text[], $7::text[], $8::integer[])
    AS judged (server_id, day, expected, stored, late, state, gaps, gaps_left_out)
JOIN servers ON servers.id = judged.server_id
ON CONFLICT (server_id, day) DO UPDATE SET
    expected = excluded.expected,
    stored = excluded.stored,
    late = excluded.late,
    state = excluded.state,
    gaps = excluded.gaps,
    gaps_left_out = excluded.gaps_left_out,
    computed_at = excluded.computed_at
