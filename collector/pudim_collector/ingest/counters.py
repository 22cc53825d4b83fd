"""What ingest counts about itself, for `/metrics`."""

from __future__ import annotations

from pudim_collector.infra.telemetry import counter, gauge, histogram

sessions = gauge("pudim_ingest_sessions", "Agents connected now.")
messages = counter("pudim_ingest_messages_total", "Authenticated messages received from agents.")
batches = counter("pudim_ingest_batches_total", "Batches stored.")
frames = counter("pudim_ingest_frames_total", "Frames stored.")
samples = counter("pudim_ingest_samples_total", "Samples stored.")
duplicates = counter("pudim_ingest_duplicate_batches_total", "Batches received again after they were stored.")
lost = counter(
    "pudim_ingest_lost_batches_total", "Batches that agents reported as lost before they were sent."
)
refusals = counter("pudim_ingest_refusals_total", "Refused messages, batches and sessions.", ["code"])
commits = counter("pudim_ingest_commits_total", "Group commits.", ["outcome"])
failed_commits = counter("pudim_ingest_failed_commits_total", "Commits that the database refused.", ["cause"])
commit_seconds = histogram(
    "pudim_ingest_commit_seconds",
    "Duration of a group commit.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
pending_bytes = gauge("pudim_ingest_pending_bytes", "Bytes received and not yet committed.")
outside_points = counter("pudim_outside_points_total", "Data points from senders that were stored.")
outside_refused = counter(
    "pudim_outside_refused_points_total", "Data points from senders that were refused, by reason.", ["code"]
)
