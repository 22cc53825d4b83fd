-- Everything the store holds of some servers; layouts stay, others may share them. $1 servers
WITH gone AS (
    DELETE FROM sources WHERE server_id = ANY ($1) RETURNING source_id
), raw AS (
    DELETE FROM frames USING gone WHERE frames.source_id = gone.source_id
), raw_blocks AS (
    DELETE FROM frame_blocks USING gone WHERE frame_blocks.source_id = gone.source_id
), minutes AS (
    DELETE FROM minute_blocks USING gone WHERE minute_blocks.source_id = gone.source_id
), hours AS (
    DELETE FROM hour_blocks USING gone WHERE hour_blocks.source_id = gone.source_id
), notes AS (
    DELETE FROM unrolled USING gone WHERE unrolled.source_id = gone.source_id
), boots AS (
    DELETE FROM ledger WHERE server_id = ANY ($1)
)
SELECT count(*) FROM gone
