"""Simulated servers with weeks of history, so that a newcomer sees full charts before any agent has run that long.

Read order: `machines` (who), `story` (what befalls them), `signals` and `panels` (what their agents would have
measured), `simulation` (a day of frames), `loader` (into the store, as time would have brought it).
All but `loader` are pure: the same seed, server and time give the same values.
"""
