"""Takes secrets out of command lines before anything leaves the host, rather too much than too little.

A name that speaks of secrets hides what follows it, to the end of its argument and, where it is an option of its
own, the next argument too. What looks drawn by lot is hidden wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

HIDDEN = "***"
_NAME = (
    r"(?:pass(?!ive|through)|pwd|pswd|secret|token|credential|bearer|cookie|auth(?!ors?\b)|signature|salt\b|dsn\b"
    r"|jwt|psk\b|otp\b|community|connection[-_.]?string|session[-_.]?id"
    r"|(?:api|app|access|account|client|encryption|license|master|private|shared|signing|storage)[-_.]?key"
    r"|(?:(?<![a-z])|(?<=-[a-z]))(?:key|pw|pin|sig|sas|creds?)(?![a-z]))"
)
_OPTION = re.compile(
    rf"--?[\w.-]{{0,64}}?{_NAME}[\w.-]{{0,64}}|{_NAME}(?:or[a-z]+|word|wd|phrase|s)?", re.IGNORECASE
)
_ASSIGNED = re.compile(rf"{_NAME}[\w.\]-]{{0,64}}[\"']?\s{{0,8}}(?:=>|[=:])", re.IGNORECASE)
_WORDS = re.compile(r"\s+|(?:[^\s'\"]|'[^']*'|\"[^\"]*\")+|['\"]")
_GIVEN = re.compile(
    r"(?<![A-Za-z0-9])(?:eyJ[\w-]{8,}(?:\.[\w-]*)*|gh[opsur]_\w{8,}|github_pat_\w{8,}|gl[a-z]{2,6}-[\w-]{8,}"
    r"|[srp]k[-_][\w-]{8,}|xox[a-z]-[\w-]{8,}|A[KS]IA[A-Z0-9]{8,}|AIza[\w-]{8,}|hv[sb]\.[\w-]{8,}|npm_\w{8,}"
    r"|pypi-[\w-]{8,}|SG\.[\w.-]{8,}|dop_v1_\w{8,})"
)
"""How issuers mark their tokens; eyJ is how a JSON Web Token begins."""
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F-]{24,}")
_LETTERS = {
    "curl": "uU", "docker": "p", "htpasswd": "b", "ipmitool": "PE", "ldapadd": "w", "ldapmodify": "w",
    "ldapsearch": "w", "mariadb": "p", "mariadb-dump": "p", "mongo": "p", "mongodump": "p", "mongosh": "p",
    "mosquitto_pub": "P", "mosquitto_sub": "P", "mysql": "p", "mysqladmin": "p", "mysqldump": "p", "podman": "p",
    "redis-cli": "a", "rdesktop": "p", "smbclient": "U", "snmpget": "cAX", "snmpwalk": "cAX", "sqlcmd": "P",
    "sshpass": "p", "unzip": "P", "valkey-cli": "a", "zip": "P", "7z": "p", "7za": "p", "openssl": "kK",
}  # fmt: skip
"""Options of one letter with which programs take a secret, attached or as the next argument."""
_USERS = ("-u", "--user", "--proxy-user")  # followed by user:secret
_DEEPEST = 3  # a shell in a shell in a shell
_SHORTEST = 20
_PATH_CHANGES = 0.35  # folders with dates and versions in their names have fewer


def redact(arguments: Sequence[str]) -> str:
    """The command line in one text."""
    return " ".join(_Reader().all(arguments))


class _Reader:
    """Goes from left to right and knows what the word before asked for."""

    def __init__(self) -> None:
        self._letters = ""
        self._hide_next = False
        self._user_next = False

    def all(self, arguments: Sequence[str]) -> Iterator[str]:
        for argument in arguments:
            yield self._argument(argument, 0)

    def _argument(self, text: str, depth: int) -> str:
        if self._hide_next:
            self._note(text.strip("'\" "))
            return HIDDEN
        if found := _ASSIGNED.search(text):
            shown = "".join(map(self._word, _WORDS.findall(text[: found.end()])))
            self._hide_next = found.end() == len(text)
            return shown + HIDDEN
        pieces = _WORDS.findall(text)
        whole = depth == 0 and (text.startswith("-") or self._user_next)  # its spaces are the value's
        if whole or len(pieces) < 2:  # noqa: PLR2004 - one word may hold quoted spaces
            return self._word(text)
        return HIDDEN if depth >= _DEEPEST else "".join(self._piece(one, depth + 1) for one in pieces)

    def _piece(self, piece: str, depth: int) -> str:
        if piece.isspace():
            return piece
        quoted = len(piece) > 1 and piece[0] == piece[-1] and piece[0] in "'\""
        return self._argument(piece[1:-1] if quoted else piece, depth)

    def _word(self, word: str) -> str:
        if self._user_next or word.startswith(tuple(f"{name}=" for name in _USERS)):
            name, colon, _ = word.partition(":")
            word = name + colon + (HIDDEN if colon else "")
        return _without_random(_without_account(self._note(word)))

    def _note(self, word: str) -> str:
        """Remember what this word says about the next one; the word without a secret attached to a letter."""
        self._hide_next = bool(_OPTION.fullmatch(word.removesuffix(":")))
        self._user_next = word in _USERS
        self._letters += _LETTERS.get(word.rpartition("/")[2], "")
        if word.startswith("-") and not word.startswith("--"):
            for place, letter in enumerate(word):
                if letter in self._letters:
                    self._hide_next = self._hide_next or place == len(word) - 1
                    return word[: place + 1] + (HIDDEN if place < len(word) - 1 else "")
        return word


def _without_account(word: str) -> str:
    """`scheme://user:secret@host`: a secret may hold anything, so up to the last @."""
    scheme, mark, rest = word.partition("://")
    account, at, host = rest.rpartition("@")
    return f"{scheme}://{HIDDEN}@{host}" if mark and at and account else word


def _without_random(word: str) -> str:
    word = _GIVEN.sub(HIDDEN, word)
    return _RUN.sub(lambda found: _run(found[0]), word)


def _run(text: str) -> str:
    """Base64 has slashes and so have paths, so what may be a path is looked at part by part."""
    if _is_random(text, _PATH_CHANGES if text.startswith("/") else 0.0):
        return HIDDEN
    return "/".join(HIDDEN if _is_random(part) else part for part in text.split("/"))


def _is_random(text: str, least: float = 0.0) -> bool:
    """Names change between small, capital and digit where a word ends; what is drawn by lot, at every other step."""
    if len(text) < _SHORTEST:
        return False
    kinds = [_kind(one) for one in text if one not in "+/_=-"]
    if _HEX.fullmatch(text):
        return True
    changes = sum(one != other for one, other in pairwise(kinds)) / len(text)
    return changes > max(least, 0.2 if "digit" in kinds else 0.25 if len(kinds) > 2 * _SHORTEST else 0.33)


def _kind(one: str) -> str:
    return "digit" if one.isdigit() else "capital" if one.isupper() else "small"
