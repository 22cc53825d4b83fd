"""The agent link: what agent and collector say to each other, byte for byte. Fields are append-only.

A connection opens with three fixed-length handshake messages (`handshake`), after which every message is
sealed and checked over its raw bytes before it is decoded (`channel`). Inside are msgpack arrays
(`messages`) that carry layouts, sources and batches of frames (`layouts`, `batches`).
"""

VERSIONS = (1,)
"""Protocol versions that this code speaks, oldest first."""
