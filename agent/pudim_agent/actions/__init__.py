"""The port of the action family: what a signed command may ask of this host, where the host's policy allows it.

An action is one file with one class under `@actions.register("name")`. `Args` is what a command must say, `Allowed` the table
`[actions.name]` of the policy; both are frozen dataclasses as `pudim_agent.typed` reads them. There is no action that runs
what it is told, and none that can write the policy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pudim.vocabulary.registry import Registry
from pudim_agent.command_checks import CommandRefused
from pudim_agent.notices import Notices

__all__ = ["Action", "ActionFailed", "NotAllowed", "Nothing", "Surroundings", "Update", "actions"]


class NotAllowed(CommandRefused):
    """The host's policy allows the action, and not for this."""

    code = "not_allowed"


class ActionFailed(Exception):
    """The action was begun and did not come to its end; `output` is what it printed until then."""

    def __init__(self, code: str, detail: str, output: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.output = code, detail, output


@dataclass(frozen=True)
class Nothing:
    """Of an action that needs no arguments, or whose permission has no bounds."""


Update = Callable[[str, bytes, bytes], Awaitable[str]]
"""Version, manifest and the manifest's signature, to what came of it."""


@dataclass(frozen=True)
class Surroundings:
    """What actions work on; `hurry` has the next samples taken within a second, `update` is None where nothing installs."""

    notices: Notices
    hurry: Callable[[], None] = lambda: None
    systemctl: str = "/usr/bin/systemctl"
    update: Update | None = None


class Action(Protocol):
    Args: ClassVar[type]
    Allowed: ClassVar[type]
    seconds: ClassVar[float]
    """After so long it is stopped, and has failed."""

    def __init__(self, around: Surroundings, /) -> None: ...

    def permit(self, args: Any, allowed: Any, /) -> None:
        """Raises NotAllowed. It has no effect."""
        ...

    async def run(self, args: Any, allowed: Any, /) -> str:
        """What it says when it is done. Raises ActionFailed, or OSError."""
        ...


actions: Registry[type[Action]] = Registry(__name__)
