-- Which minutes sources have, and four columns of them. $1 sources, $2 from and $3 to (whole hours), $4 to $7 the
-- positions of the columns, null where a source lacks one, $8 the first from, $9 the last to: they let the planner
-- see which pieces matter.
SELECT
    wanted.number::integer, block.times,
    substring(block.body FROM block.offsets[wanted.first] + 1 FOR block.offsets[wanted.first + 1] - block.offsets[wanted.first]),
    substring(block.body FROM block.offsets[wanted.second] + 1 FOR block.offsets[wanted.second + 1] - block.offsets[wanted.second]),
    substring(block.body FROM block.offsets[wanted.third] + 1 FOR block.offsets[wanted.third + 1] - block.offsets[wanted.third]),
    substring(block.body FROM block.offsets[wanted.fourth] + 1 FOR block.offsets[wanted.fourth + 1] - block.offsets[wanted.fourth])
FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
    WITH ORDINALITY AS wanted (source_id, since, until, first, second, third, fourth, number)
JOIN minute_blocks AS block
    ON block.source_id = wanted.source_id AND block.start >= wanted.since AND block.start < wanted.until
WHERE block.start >= $8 AND block.start < $9
