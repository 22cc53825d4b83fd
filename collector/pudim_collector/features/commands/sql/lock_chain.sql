-- The server's chain, made where there is none, kept from other processes until the end of the transaction.
INSERT INTO command_chains (server_id, head) VALUES ($1, $2)
ON CONFLICT (server_id) DO UPDATE SET sequence = command_chains.sequence
RETURNING sequence, reports, head
