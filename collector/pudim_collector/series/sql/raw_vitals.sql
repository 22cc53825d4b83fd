-- Minutes out of frames that are not rolled up yet: how many there are, and the bounds of three values.
-- $1 sources, $2 from, $3 to, $4 to $6 the positions of the values, null where a source lacks one
SELECT
    wanted.number::integer,
    (extract(epoch FROM date_bin('1 minute', frames.time, 'epoch')) * 1000)::bigint,
    count(DISTINCT frames.time)::integer,
    min(nullif(frames.values[wanted.first], 'NaN')),
    min(nullif(frames.values[wanted.second], 'NaN')), max(nullif(frames.values[wanted.second], 'NaN')),
    min(nullif(frames.values[wanted.third], 'NaN')), max(nullif(frames.values[wanted.third], 'NaN'))
FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::integer[], $5::integer[], $6::integer[])
    WITH ORDINALITY AS wanted (source_id, since, until, first, second, third, number)
JOIN frames ON frames.source_id = wanted.source_id AND frames.time >= wanted.since AND frames.time < wanted.until
GROUP BY 1, 2
