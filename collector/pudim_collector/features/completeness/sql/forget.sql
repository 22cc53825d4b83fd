-- What is older than the hours' tier is told no more.
DELETE FROM completeness USING retention
WHERE retention.tier = 'hour' AND completeness.day < $1::date - retention.days
