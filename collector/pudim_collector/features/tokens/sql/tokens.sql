-- A team's tokens that are not revoked: all of them ($1), or those of who asks ($2): his own, or of a token that asks itself
-- and those of the same person. One of them where $3 names it.
SELECT
    api_tokens.id, api_tokens.team, api_tokens.made_by, api_tokens.name, api_tokens.prefix, api_tokens.role,
    api_tokens.created_at, api_tokens.expires_at, api_tokens.last_used_at, api_tokens.last_used_address,
    api_tokens.own_role, api_tokens.operator, api_tokens.scopes, api_tokens.only_servers, api_tokens.only_tags,
    api_tokens.previous_ends_at, users.name, own.permissions, address_lists.networks
FROM api_tokens
LEFT JOIN users ON users.id = coalesce(api_tokens.made_by, api_tokens.created_by)
LEFT JOIN roles AS own ON own.id = api_tokens.own_role
LEFT JOIN address_lists ON address_lists.token_id = api_tokens.id
WHERE api_tokens.team = {team} AND api_tokens.revoked_at IS NULL
    AND ($1::boolean OR $2::uuid IN (api_tokens.made_by, api_tokens.id)
        OR api_tokens.made_by = (SELECT asking.made_by FROM api_tokens AS asking WHERE asking.id = $2))
    AND ($3::uuid IS NULL OR api_tokens.id = $3)
ORDER BY api_tokens.created_at DESC, api_tokens.id
