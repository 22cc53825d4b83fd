-- For how many days raw frames are kept, and since when they are there at all.
SELECT retention.days, store.raw_since FROM retention, store WHERE retention.tier = 'raw'
