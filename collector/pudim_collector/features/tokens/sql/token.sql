-- An API token by its secret, and all that decides over what it may, as of now: of a person's what he is in the team and what
-- is granted to him there, so that it never may what he may not (any more); of a service's its own.
SELECT
    api_tokens.id, api_tokens.team, api_tokens.name, api_tokens.expires_at,
    CASE WHEN api_tokens.secret_hash = $1 THEN NULL ELSE api_tokens.previous_ends_at END,
    api_tokens.last_used_at, api_tokens.revoked_at, api_tokens.scopes, api_tokens.only_servers, api_tokens.only_tags,
    CASE WHEN api_tokens.made_by IS NULL THEN api_tokens.role ELSE member.role END, own.name, own.permissions,
    (
        SELECT json_agg(json_build_array(grants.role, roles.permissions, grants.server_id, grants.tag))::text
        FROM grants LEFT JOIN roles ON roles.id = grants.own_role
        WHERE grants.team_id = api_tokens.team
            AND (grants.user_id = api_tokens.made_by OR api_tokens.made_by IS NULL AND grants.token_id = api_tokens.id)
    ),
    (SELECT version FROM tenancy),
    api_tokens.operator AND (api_tokens.made_by IS NULL OR makers.operator),
    api_tokens.made_by IS NOT NULL
        AND EXISTS (SELECT FROM teams WHERE teams.id = api_tokens.team AND teams.second_factor_required)
        AND NOT EXISTS (SELECT FROM people_with_factor AS able WHERE able.user_id = api_tokens.made_by)
FROM api_tokens
LEFT JOIN users AS makers ON makers.id = api_tokens.made_by
LEFT JOIN memberships AS member ON member.user_id = api_tokens.made_by AND member.team_id = api_tokens.team
LEFT JOIN roles AS own
    ON own.id = CASE WHEN api_tokens.made_by IS NULL THEN api_tokens.own_role ELSE member.own_role END
WHERE api_tokens.secret_hash = $1 OR api_tokens.previous_hash = $1
