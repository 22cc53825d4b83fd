"""The time-series store: layouts, sources and frames in, series out. Everything above sees this one API.

Read order: `frames` (what a row is), `store` (writing), `reading` (reading), `backends` (how rows are kept).
"""
