-- $1 the lock
SELECT pg_advisory_lock_shared($1)
