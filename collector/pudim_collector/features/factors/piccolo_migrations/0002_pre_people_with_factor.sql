-- Who has a second factor of any kind: the one place that says what counts as one where teams demand it.
CREATE VIEW people_with_factor AS
SELECT user_id FROM totp_secrets WHERE confirmed_at IS NOT NULL
UNION ALL SELECT user_id FROM passkeys;
