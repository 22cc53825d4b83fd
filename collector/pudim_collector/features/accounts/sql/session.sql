-- Who a session belongs to and what he is in the team that it is in: all that decides over a request, as of now. Where he
-- is not in that team (any more), it is another of his teams.
SELECT
    sessions.id, sessions.created_at, sessions.last_seen_at,
    users.id, users.name, users.email, users.operator, users.language, users.time_zone,
    member.team_id, member.role, own.name, own.permissions,
    (
        SELECT json_agg(json_build_array(grants.role, roles.permissions, grants.server_id, grants.tag))::text
        FROM grants LEFT JOIN roles ON roles.id = grants.own_role
        WHERE grants.user_id = users.id AND grants.team_id = member.team_id
    ),
    (
        SELECT json_agg(json_build_array(teams.id, teams.name) ORDER BY teams.name, teams.id)::text
        FROM memberships JOIN teams ON teams.id = memberships.team_id
        WHERE memberships.user_id = users.id
    ),
    (SELECT version FROM tenancy),
    EXISTS (SELECT FROM teams WHERE teams.id = member.team_id AND teams.second_factor_required)
        AND NOT EXISTS (SELECT FROM people_with_factor AS able WHERE able.user_id = users.id)
FROM sessions
JOIN users ON users.id = sessions.user_id
LEFT JOIN LATERAL (
    SELECT memberships.team_id, memberships.role, memberships.own_role FROM memberships
    WHERE memberships.user_id = users.id
    ORDER BY memberships.team_id IS NOT DISTINCT FROM sessions.team_id DESC, memberships.since, memberships.team_id
    LIMIT 1
) AS member ON true
LEFT JOIN roles AS own ON own.id = member.own_role
WHERE sessions.secret_hash = $1
