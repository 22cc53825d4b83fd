-- A report as it was signed.
INSERT INTO command_reports (server_id, sequence, digest, received_at, body, signature, fault)
VALUES ($1, $2, $3, $4, $5, $6, $7)
