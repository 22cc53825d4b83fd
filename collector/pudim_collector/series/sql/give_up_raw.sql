-- Take no raw frames before a moment any more. A row where that is new. $1 the moment
UPDATE store SET raw_since = $1 WHERE raw_since IS NULL OR raw_since < $1 RETURNING raw_since
