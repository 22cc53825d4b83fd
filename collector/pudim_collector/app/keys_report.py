"""What is told of an installation's keys: nothing is made, changed or kept, and no secret is shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pudim.wire.keys import public_bytes, to_text
from pudim_collector.app.key_succession import COLLECTOR, RELEASE
from pudim_collector.app.keys import COMMAND_FILE, FILE_NAME, RELEASE_FILE, signing_key
from pudim_collector.app.secrets_report import table
from pudim_collector.app.settings import Settings
from pudim_collector.infra.key_ring import RING_FILE, KeyRing
from pudim_collector.infra.private_files import KeyFileError, KeyFileMissingError

_USES = {
    FILE_NAME: "agents pin it",
    COLLECTOR.next_file: "agents are told of it",
    COMMAND_FILE: "signs commands",
    RELEASE_FILE: "signs the agent's releases",
    RELEASE.next_file: "is going to sign releases",
}


class KeyStatus(msgspec.Struct):
    """`fingerprint` of a key that signs is its public half, whole; `fault` is an error's code."""

    file: str
    use: str
    fingerprint: str | None
    made: datetime | None
    mode: str | None
    fault: str | None
    detail: str | None


def found(settings: Settings) -> list[KeyStatus]:
    """Keys that are not made yet are left out; a ring that was named must be there."""
    return [*_signing(settings.data_dir), *_ring(settings)]


def said(keys: list[KeyStatus]) -> str:
    rows = [("file", "use", "made", "mode", "fingerprint")] + [
        (
            *(Path(one.file).name, one.use, f"{one.made:%Y-%m-%d %H:%M}" if one.made else "-"),
            *(one.mode or "-", one.fingerprint or one.detail or "-"),
        )
        for one in keys
    ]
    return table(rows)


def _signing(data_dir: Path) -> Iterator[KeyStatus]:
    for name, use in _USES.items():
        path = data_dir / name
        if path.exists():
            yield _signing_key(path, use)


def _ring(settings: Settings) -> Iterator[KeyStatus]:
    lent = settings.secret_keys_file
    path = lent or settings.data_dir / RING_FILE
    if not lent and not path.exists():
        return
    try:
        ring = KeyRing(path, lent=bool(lent))
        active = ring.active
        for key in ring.keys:
            use = "seals secrets" if key == active else "opens older secrets"
            yield _fine(path, use, key.created_at, f"{key.name} {key.fingerprint}")
    except KeyFileError as error:
        yield _faulty(path, "seals secrets", error)


def _signing_key(path: Path, use: str) -> KeyStatus:
    try:
        return _fine(path, use, _made(path), to_text(public_bytes(signing_key(path))))
    except KeyFileError as error:
        return _faulty(path, use, error)


def _fine(path: Path, use: str, made: datetime, fingerprint: str) -> KeyStatus:
    return KeyStatus(str(path), use, fingerprint, made, _mode(path), None, None)


def _faulty(path: Path, use: str, error: KeyFileError) -> KeyStatus:
    there = not isinstance(error, KeyFileMissingError)
    return KeyStatus(
        str(path),
        use,
        None,
        _made(path) if there else None,
        _mode(path) if there else None,
        error.code,
        f"{error.detail}. {error.hint}",
    )


def _made(path: Path) -> datetime:
    """A key's file is written once."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"
