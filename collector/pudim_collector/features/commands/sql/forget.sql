-- The oldest commands and reports of a server, beyond the newest so many.
WITH old AS (
    SELECT id FROM command_reports WHERE server_id = $1 ORDER BY id DESC OFFSET $3
), gone AS (
    DELETE FROM command_reports WHERE id IN (SELECT id FROM old)
)
DELETE FROM commands
WHERE id IN (SELECT id FROM commands WHERE server_id = $1 ORDER BY asked_at DESC, id DESC OFFSET $2)
