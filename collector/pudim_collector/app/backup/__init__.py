"""Backups of a whole Pudim: one file out of one snapshot, taken while it runs, restored into nothing else than emptiness.

PostgreSQL's own dump would come back only with the same extension in the same version, and only on the backend it
came from; rows copied out of the tables fit every backend, and each table's checksum and count say that all is there.
"""
