-- Search in the order of time, also for whole names, and count over time without reading the entries themselves.
DROP INDEX audit_entries_at, audit_entries_actor, audit_entries_action, audit_entries_target, audit_entries_address, audit_entries_unusual;
CREATE INDEX audit_entries_at ON audit_entries (chain, at, sequence);
CREATE INDEX audit_entries_actor ON audit_entries (chain, actor_id, at, sequence);
CREATE INDEX audit_entries_actor_name ON audit_entries (chain, actor_name, at, sequence);
CREATE INDEX audit_entries_action ON audit_entries (chain, action, at, sequence);
CREATE INDEX audit_entries_target ON audit_entries (chain, target_id, at, sequence);
CREATE INDEX audit_entries_target_name ON audit_entries (chain, target_name, at, sequence);
CREATE INDEX audit_entries_address ON audit_entries (chain, address, at, sequence);
CREATE INDEX audit_entries_unusual ON audit_entries (chain, result, at, sequence) WHERE result <> 'done';
