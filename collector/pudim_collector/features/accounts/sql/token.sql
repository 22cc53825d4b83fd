-- An API token, its role and what its maker is in its team: a token never may what who made it may not (any more).
SELECT
    api_tokens.id, api_tokens.team, api_tokens.made_by, api_tokens.name, api_tokens.prefix, api_tokens.role,
    api_tokens.created_at, api_tokens.expires_at, api_tokens.last_used_at, api_tokens.revoked_at,
    api_tokens.own_role, api_tokens.operator, api_tokens.scopes, api_tokens.only_servers, api_tokens.only_tags,
    api_tokens.last_used_address,
    api_tokens.operator AND coalesce(makers.operator, api_tokens.made_by IS NULL), own.name, own.permissions,
    member.role, makers_own.permissions,
    (
        SELECT json_agg(json_build_array(grants.role, roles.permissions, grants.server_id, grants.tag))::text
        FROM grants LEFT JOIN roles ON roles.id = grants.own_role
        WHERE grants.token_id = api_tokens.id AND grants.team_id = api_tokens.team
    ),
    (SELECT version FROM tenancy)
FROM api_tokens
LEFT JOIN roles AS own ON own.id = api_tokens.own_role
LEFT JOIN users AS makers ON makers.id = api_tokens.made_by
LEFT JOIN memberships AS member ON member.user_id = api_tokens.made_by AND member.team_id = api_tokens.team
LEFT JOIN roles AS makers_own ON makers_own.id = member.own_role
WHERE api_tokens.secret_hash = $1
