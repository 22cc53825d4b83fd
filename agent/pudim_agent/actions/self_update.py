"""Hands a signed manifest of a newer agent to what installs it; the manifest's own signature is checked there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pudim.wire.keys import SIGNATURE_BYTES, BadKey, from_text
from pudim_agent.actions import ActionFailed, Nothing, Surroundings, actions


@actions.register("self_update")
class SelfUpdate:
    Allowed: ClassVar[type] = Nothing
    seconds: ClassVar[float] = 300.0

    @dataclass(frozen=True)
    class Args:
        """`manifest` is the signed text, `signature` base64url without padding."""

        version: str = field(metadata={"longest": 64})
        manifest: str = field(metadata={"longest": 12_000})
        signature: str = field(metadata={"longest": 128})

    def __init__(self, around: Surroundings) -> None:
        self._update = around.update

    def permit(self, _args: Args, _allowed: Nothing) -> None:
        """Which version it may be is the manifest's matter."""

    async def run(self, args: Args, _allowed: Nothing) -> str:
        if self._update is None:
            raise ActionFailed(
                "not_available", "this agent was not installed so that it could replace itself"
            )
        try:
            signature = from_text(args.signature, SIGNATURE_BYTES)
        except BadKey as error:
            raise ActionFailed("bad_signature", "the manifest's signature is not one") from error
        return await self._update(args.version, args.manifest.encode(), signature)
