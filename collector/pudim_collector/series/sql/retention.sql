-- How long each tier is kept, and since when raw frames are there.
SELECT retention.tier, retention.days, retention.bytes, store.raw_since FROM retention CROSS JOIN store
