-- What waits for the upkeep: notes of commits, units of a source and an hour, and up to when everything recent is done.
SELECT (SELECT count(*) FROM dirt), (SELECT count(*) FROM unrolled WHERE dirty), (SELECT rolled_until FROM store)
