"""What an entry of the audit log is, how entries are chained, searched, and written for other programs: pure decisions."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from pudim.vocabulary.errors import PudimError

INSTALLATION = UUID(int=0)
"""The chain of what belongs to no team."""
GENESIS = sha256(b"pudim audit chain 1").digest()
"""What the first entry of a chain follows."""
DEFAULT_DAYS, FEWEST_DAYS, MOST_DAYS = 400, 30, 3650
LONGEST_TEXT = 1_000
LONGEST_NAME = 256
MOST_ITEMS = 64
MOST_BYTES = 16_384
"""Of `before` and of `after`, each; what is larger is told as too large."""
DEEPEST = 6
MOST_WORDS = 8
BARS = 60
SALT_BYTES = 16
_FIRST_DOMAIN, _DOMAIN = b"pudim audit entry 1\n", b"pudim audit entry 2\n"
_WHO, _WHAT = ("actor_name", "address", "user_agent"), ("target_name", "before", "after")
"""What of an entry is about people, in two parts of which each can be erased alone."""
_SECRET_KEYS = re.compile(
    r"(?i)(passw|secret|token|cookie|authori[sz]ation|private_?key|api_?key|credential|seed)"
)
_SECRET_VALUES = re.compile(r"pud_[a-z]{3}_[A-Za-z0-9_-]{8,}")
_HIDDEN = "(hidden)"
_WORD = re.compile(r"[^\W_]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class BadSearch(PudimError):
    """This is nothing that the audit log can be searched by."""

    code = "bad_audit_search"
    status = 422

    def __init__(self, field: str = "q", detail: str = "") -> None:
        self.field = field
        super().__init__(detail)


class BadDays(PudimError):
    """The audit log is kept for 30 to 3650 days."""

    code = "bad_audit_days"
    status = 422


@dataclass(frozen=True)
class Proof:
    """What holds an entry's parts about people in its hash: a salt for each, or what is left of an erased one.

    The first entries have no salts: where something of one was erased, `whole` is the digest that it had.
    """

    who: bytes | None = None
    what: bytes | None = None
    whole: bytes | None = None


@dataclass(frozen=True)
class Entry:
    """One entry before it has its place in a chain. Texts and ids are as they were then."""

    team_id: UUID | None
    at: datetime
    actor_kind: str
    actor_id: str | None
    actor_name: str
    action: str
    target_kind: str | None = None
    target_id: str | None = None
    target_name: str | None = None
    address: str = ""
    user_agent: str = ""
    credential: str | None = None
    request_id: str | None = None
    result: str = "done"
    before: Any = None
    after: Any = None
    proof: Proof = Proof()

    @property
    def chain(self) -> UUID:
        return self.team_id or INSTALLATION


@dataclass(frozen=True)
class Linked:
    """An entry in its place."""

    sequence: int
    entry: Entry
    previous: bytes
    hash: bytes
    erased: bool = False
    """Whether something of it was erased, as of somebody who was deleted."""


@dataclass(frozen=True)
class Head:
    sequence: int
    hash: bytes


@dataclass(frozen=True)
class Break:
    """The first place where a chain does not hold; everything before it does."""

    sequence: int
    why: str


@dataclass(frozen=True)
class Search:
    """`words` are beginnings of words that an entry has; times are half-open."""

    words: tuple[str, ...] = ()
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    result: str | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None


# Writing


def cleaned(entry: Entry) -> Entry:
    """Bounded, without what would break a line, and without secrets."""
    return replace(
        entry,
        actor_id=_short(entry.actor_id),
        actor_name=_short(entry.actor_name) or "",
        target_id=_short(entry.target_id),
        target_name=_short(entry.target_name),
        address=(_short(entry.address) or "")[:64],
        user_agent=_short(entry.user_agent) or "",
        before=_details(entry.before),
        after=_details(entry.after),
    )


def digest(entry: Entry) -> bytes:
    """SHA-256 of the canonical encoding: JSON of all fields, keys sorted, no spaces, UTF-8, times in microseconds UTC.

    In the place of each part about people stands its commitment, so that it can be erased.
    """
    proof = entry.proof
    if proof.whole is not None:
        return proof.whole
    said = asdict(replace(entry, proof=Proof())) | {
        "team_id": str(entry.team_id) if entry.team_id else None,
        "at": _instant(entry.at),
        "result": str(entry.result),
    }
    del said["proof"]
    if proof.who is None or proof.what is None:
        return sha256(_FIRST_DOMAIN + _canonical(said)).digest()
    for part, kept, names in (("who", proof.who, _WHO), ("what", proof.what, _WHAT)):
        said[part] = _commitment(kept, {name: said.pop(name) for name in names}).hex()
    return sha256(_DOMAIN + _canonical(said)).digest()


def erased(entry: Entry, called: str, target: str | None, *, who: bool, what: bool) -> Entry:
    """Without one part about people, or without both: `called` and `target` take the names' places. The digest stays the same."""
    proof = entry.proof
    if proof.who is None or proof.what is None:
        proof = Proof(whole=digest(entry))
    else:
        parts = asdict(entry)
        proof = Proof(
            _commitment(proof.who, {name: parts[name] for name in _WHO}) if who else proof.who,
            _commitment(proof.what, {name: parts[name] for name in _WHAT}) if what else proof.what,
        )
    if who:
        entry = replace(entry, actor_name=called, address="", user_agent="")
    if what:
        entry = replace(entry, target_name=target, before=None, after=None)
    return replace(entry, proof=proof)


def _commitment(kept: bytes, part: Mapping[str, Any]) -> bytes:
    """HMAC-SHA256 under the salt; of an erased part it is what was kept."""
    return kept if len(kept) > SALT_BYTES else hmac.digest(kept, _canonical(part), "sha256")


def link(previous: bytes, sequence: int, digested: bytes) -> bytes:
    """The hash of an entry in its place; append.sql computes the same."""
    return sha256(previous + sequence.to_bytes(8, "big", signed=True) + digested).digest()


@dataclass
class Walk:
    """Goes along a chain from its anchor, entry by entry, and says where it breaks."""

    last: Head = field(default_factory=lambda: Head(0, GENESIS))
    entries: int = 0

    def step(self, one: Linked) -> Break | None:
        if one.sequence != self.last.sequence + 1:
            return Break(self.last.sequence + 1, f"it is missing; the next that is there is {one.sequence}")
        if one.previous != self.last.hash:
            return Break(one.sequence, "it does not follow the entry before it")
        if one.hash != link(one.previous, one.sequence, digest(one.entry)):
            return Break(one.sequence, "it was changed: its hash is another one")
        self.last, self.entries = Head(one.sequence, one.hash), self.entries + 1
        return None

    def end(self, head: Head | None) -> Break | None:
        """After the last entry. `head` is what the chain says that was written."""
        if head is None:
            return Break(self.last.sequence, "the chain has lost its head") if self.last.sequence else None
        if head.sequence > self.last.sequence:
            return Break(
                self.last.sequence + 1, f"entries were written up to {head.sequence}, and are missing"
            )
        return None if head == self.last else Break(head.sequence, "the chain's head is another one")


@lru_cache(4096)
def network_of(address: str) -> str | None:
    """The /24 or /64 that an address is in; None for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return str(ip_network((found, 24 if found.version == 4 else 64), strict=False))  # noqa: PLR2004


def _details(value: Any) -> Any:
    if value is None:
        return None
    told = _plain(value, 0)
    if len(_canonical(told)) > MOST_BYTES:
        return {"too_large": True}
    return told


def _plain(value: Any, depth: int) -> Any:
    """Only what JSON keeps exactly: no floats, which a database may write otherwise than we hash them."""
    if value is None or isinstance(value, bool | int):
        return value
    if depth > DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {
            _text(str(key), LONGEST_NAME): _HIDDEN if _hides(str(key), one) else _plain(one, depth + 1)
            for key, one in list(value.items())[:MOST_ITEMS]
        }
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_plain(one, depth + 1) for one in list(ordered)[:MOST_ITEMS]]
    if isinstance(value, datetime):
        return _instant(value)
    return _text(str(value), LONGEST_TEXT)


def _hides(key: str, value: Any) -> bool:
    """Whether a value may be a secret by its name. Ids, figures and flags are none."""
    if value is None or isinstance(value, bool | int | UUID) or key.endswith("_id"):
        return False
    return bool(_SECRET_KEYS.search(key))


def _text(text: str, most: int) -> str:
    text = text.encode("utf-8", "replace").decode()
    return _SECRET_VALUES.sub(_HIDDEN, _UNPRINTABLE.sub(" ", text))[:most]


def _short(text: str | None) -> str | None:
    return None if text is None else _text(text, LONGEST_NAME)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class Damper:
    """Lets so many of a kind through in a minute: whoever is refused in a loop must not fill the log. Bounded."""

    most: int = 30
    most_kinds: int = 4_096
    _counted: dict[str, tuple[int, int]] = field(default_factory=dict)

    def passes(self, kind: str, now: datetime) -> tuple[bool, int]:
        """Whether this one does, and how many of its kind did not since the last that did."""
        minute = int(now.timestamp() // 60)
        if kind not in self._counted and len(self._counted) >= self.most_kinds:
            self._counted = {key: one for key, one in self._counted.items() if one[0] == minute}
            if len(self._counted) >= self.most_kinds:
                kind = ""
        since, count = self._counted.get(kind, (minute, 0))
        left_out = max(0, count - self.most) if since != minute else 0
        count = 1 if since != minute else count + 1
        self._counted[kind] = (minute, count)
        return count <= self.most, left_out


# Searching


def words_of(text: str) -> tuple[str, ...]:
    """The beginnings of words that are looked for. Raises BadSearch."""
    if len(text) > LONGEST_NAME:
        raise BadSearch("q", "What is looked for is too long.")
    found = tuple(dict.fromkeys(word.casefold() for word in _WORD.findall(text)))
    if len(found) > MOST_WORDS:
        raise BadSearch("q", f"Look for at most {MOST_WORDS} words.")
    return found


def query_of(words: Sequence[str]) -> str:
    """For to_tsquery('simple', ...): all of them, each as the beginning of a word."""
    return " & ".join(f"{word}:*" for word in words)


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def moment(text: str | None, field: str) -> datetime | None:
    """A day or an instant, in UTC where it says nothing else. Raises BadSearch."""
    if text is None or not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadSearch(
            field, "Write a day such as 2026-11-22, or an instant such as 2026-11-22T16:40Z."
        ) from error


def check_days(days: int) -> None:
    """Raises BadDays."""
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise BadDays


@dataclass(frozen=True)
class Bar:
    since: datetime
    until: datetime
    count: int


def step_of(span: timedelta) -> timedelta:
    """The width of a bar, so that at most BARS cover the span: whole minutes, hours or days."""
    for seconds in (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 28 * 86_400):
        if span / timedelta(seconds=seconds) <= BARS:
            return timedelta(seconds=seconds)
    return timedelta(days=91)


def bars(counts: Mapping[datetime, int], since: datetime, until: datetime, step: timedelta) -> list[Bar]:
    """From the step that `since` is in to `until`, those without entries too."""
    found: list[Bar] = []
    width = step.total_seconds()
    at = datetime.fromtimestamp(since.timestamp() // width * width, UTC)
    while at < until and len(found) <= BARS + 1:
        found.append(Bar(at, at + step, counts.get(at, 0)))
        at += step
    return found


@dataclass(frozen=True)
class Difference:
    """One value that is not the same after as before; None where there was none."""

    field: str
    before: str | None
    after: str | None


def differences(before: Any, after: Any) -> list[Difference]:
    """By field, nested ones with dots between; what did not change is left out where both are told."""
    old, new = dict(_flat("", before)), dict(_flat("", after))
    both = before is not None and after is not None
    return [
        Difference(field, old.get(field), new.get(field))
        for field in sorted(old.keys() | new.keys())
        if not (both and old.get(field) == new.get(field))
    ]


def details_text(entry: Entry) -> str:
    """All that an entry says of its target, and of what was before and after."""
    said = [one for value in (entry.before, entry.after) for _, one in _flat("", value)]
    return " ".join(one for one in (entry.target_name, *said) if one)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), one)
    elif isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        yield path, ", ".join(_said(one) for one in value)
    else:
        yield path, _said(value)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# For other programs

COLUMNS = (
    "sequence", "at", "result", "action", "actor_kind", "actor_id", "actor_name", "target_kind", "target_id",
    "target_name", "address", "user_agent", "credential", "request_id", "before", "after", "team_id", "hash",
)  # fmt: skip


def document(one: Linked) -> dict[str, Any]:
    """An entry as others read it: each of COLUMNS."""
    said = asdict(one.entry) | {
        "sequence": one.sequence,
        "at": _instant(one.entry.at),
        "result": str(one.entry.result),
        "team_id": str(one.entry.team_id) if one.entry.team_id else None,
        "hash": one.hash.hex(),
    }
    return {name: said[name] for name in COLUMNS}


def json_line(one: Linked) -> bytes:
    return json.dumps(document(one), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def csv_line(cells: Iterable[Any]) -> bytes:
    """RFC 4180. What a spreadsheet would compute begins with an apostrophe, so that it shows it."""
    return (",".join(_cell(one) for one in cells) + "\r\n").encode()


def csv_of(one: Linked) -> bytes:
    return csv_line(document(one).values())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if text.lstrip(" ").startswith(_FORMULA):
        text = f"'{text}"
    return '"{}"'.format(text.replace('"', '""')) if any(one in text for one in '",\r\n') else text
