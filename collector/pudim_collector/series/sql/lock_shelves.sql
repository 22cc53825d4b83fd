-- One process at a time puts a target's series on shelves, so that each gets one place. $1 the target
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))
