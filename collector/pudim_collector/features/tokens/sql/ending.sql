-- Tokens of all teams that end before $2 and of which nobody was told yet, and those that end before $3 and were not told of
-- for the last time.
SELECT api_tokens.id, api_tokens.team, teams.name, api_tokens.name, api_tokens.made_by, api_tokens.expires_at
FROM api_tokens
JOIN teams ON teams.id = api_tokens.team
WHERE api_tokens.revoked_at IS NULL AND api_tokens.expires_at > $1 AND api_tokens.expires_at <= $2
    AND (api_tokens.warned IS NULL OR api_tokens.warned > 1 AND api_tokens.expires_at <= $3)
ORDER BY api_tokens.expires_at, api_tokens.id
LIMIT 1000
