"""Tells everything anew: each notice once more, and samples within a second."""

from __future__ import annotations

from typing import ClassVar

from pudim_agent.actions import Nothing, Surroundings, actions


@actions.register("refresh")
class Refresh:
    Args: ClassVar[type] = Nothing
    Allowed: ClassVar[type] = Nothing
    seconds: ClassVar[float] = 10.0

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def permit(self, _args: Nothing, _allowed: Nothing) -> None:
        """It shows nothing that is not shown already."""

    async def run(self, _args: Nothing, _allowed: Nothing) -> str:
        told = self._around.notices.repeat()
        self._around.hurry()
        return f"{told} subjects told again"
