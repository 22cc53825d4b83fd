-- What explains gaps of long ago, which are judged for good. $1 before, $2 the same in milliseconds
WITH runs AS (
    DELETE FROM collector_runs WHERE seen_at < $1
)
DELETE FROM arrivals WHERE came_ms < $2
