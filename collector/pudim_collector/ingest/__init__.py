"""The hot path: verify, decode, queue, commit, acknowledge. No ORM, no templates, no features.

Read order: `admission` (what is accepted), `session` (one agent's connection), `writer` (group commit),
`endpoint` (the websocket).
"""
