"""Every code that an answer may carry, with what it means and what to do: out of the classes that are raised, so that none is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from pudim.vocabulary.errors import PudimError

_OURS = ("pudim.", "pudim_collector.")
_SERVER_ERROR = 500
_UNNAMED = 500
"""The status of errors that never reach the HTTP edge by name, such as those of commands."""
_WAIT = "The same may work later: wait as long as Retry-After says, or a few seconds."
_FRAMEWORK = {
    "bad_request": (400, "The request cannot be read.", "Compare it with the API's description."),
    "invalid_request": (
        400,
        "The request has values that cannot be used.",
        "`errors` names each of them, by a JSON pointer into the request.",
    ),
    "not_found": (404, "There is nothing at this address.", "Check the address and the ids in it."),
    "method_not_allowed": (
        405,
        "This address does not take this method.",
        "The header `Allow` names those it takes.",
    ),
    "internal": (
        500,
        "Something went wrong on our side.",
        "Look into the collector's log under the answer's `request_id`, and report it if it happens again.",
    ),
}


@dataclass(frozen=True)
class KnownError:
    """`hint` says what to do, "" if that is plain from the sentence."""

    code: str
    status: int
    sentence: str
    hint: str

    @property
    def phrase(self) -> str:
        return HTTPStatus(self.status).phrase


def catalogue() -> dict[str, KnownError]:
    """By code, of all classes that are imported, in order."""
    found = {code: KnownError(code, *said) for code, said in _FRAMEWORK.items()}
    for error in _subclasses(PudimError):
        if error.__module__.startswith(_OURS) and error.status != _UNNAMED and error.code not in found:
            found[error.code] = _known(error)
    return dict(sorted(found.items()))


def _subclasses(root: type[PudimError]) -> Iterator[type[PudimError]]:
    for one in root.__subclasses__():
        if "code" in vars(one):
            yield one
        yield from _subclasses(one)


def _known(error: type[PudimError]) -> KnownError:
    sentence = (error.__doc__ or error.code).strip().splitlines()[0]
    hints = [error.hint, _WAIT if error.retry or error.status >= _SERVER_ERROR else ""]
    return KnownError(error.code, error.status, sentence, " ".join(hint for hint in hints if hint))
