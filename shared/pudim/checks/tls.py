"""Shakes hands by TLS and judges the certificate: trusted, for this name, and good for some days more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pudim.checks import Down, Figure, NotUp, Outcome, Status, Surroundings, checks, setting
from pudim.checks.addresses import plain
from pudim.checks.certificates import DAY, REMAINING, authority_faults, peer, secured, too_short
from pudim.checks.connecting import Phases, ascii_name, connect, is_host, phase

_MOST_NAMES = 4


@dataclass(frozen=True)
class TlsConfig:
    host: str = setting("Host", "A name or an address.", required=True, longest=253)
    port: int = setting("Port", "443 for web servers.", 443, low=1, high=65_535)
    name: str = setting("Name on the certificate", "If it is another than the host.", "", longest=253)
    least_days: float = setting("Days it must hold", "Down when it ends sooner.", 14.0, low=0, high=3650)
    ca: str = setting(
        "Own authority",
        "Certificates in PEM to trust in place of the system's.",
        "",
        longest=65_536,
        lines=True,
    )


@checks.register("tls")
class Tls:
    Config = TlsConfig
    title = "TLS certificate"
    help = "Shakes hands by TLS and tells how long the certificate still holds."
    figures = (*map(phase, ("resolve", "connect", "tls")), REMAINING)
    silence = Status.DOWN

    def __init__(self, config: TlsConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: TlsConfig) -> Iterable[tuple[str, str]]:
        if not is_host(config.host):
            yield "host", "must be a name or an address"
        if config.name and not is_host(config.name):
            yield "name", "must be a name or an address"
        yield from authority_faults(config.ca)

    async def run(self, around: Surroundings, timeout: float) -> Outcome:
        phases = Phases(around.timer)
        try:
            until, names = await self._certificate(around, phases, timeout, verify=True)
        except NotUp as found:
            figures = {**phases.figures(), **found.figures}
            if not found.code.startswith("certificate_"):
                found.figures = figures
                raise
            raise await self._looked_at(found, figures, around, timeout) from found
        took, figures = phases.total, phases.figures()
        figures[REMAINING] = until - around.wall()
        fault = too_short(until, around.wall(), self._config.least_days, figures)
        if fault is not None:
            raise fault
        return Outcome(
            Status.UP, took, f"{_said(names)}, {figures[REMAINING] / DAY:.0f} days left", figures=figures
        )

    async def _certificate(
        self, around: Surroundings, phases: Phases, timeout: float, *, verify: bool
    ) -> tuple[float, list[str]]:
        config = self._config
        made = await connect(config.host, config.port, around, phases, timeout)
        name = config.name or config.host
        name = name if plain(name) is not None else ascii_name(name)
        _, writer = await secured(made, name, phases, ca=config.ca, verify=verify)
        try:
            return peer(writer.transport)
        finally:
            writer.transport.abort()

    async def _looked_at(
        self, fault: NotUp, figures: dict[Figure, float], around: Surroundings, timeout: float
    ) -> Down:
        """The fault with what the certificate says, which a handshake that fails does not show: so once more without."""
        words = fault.detail
        try:
            until, names = await self._certificate(around, Phases(around.timer), timeout, verify=False)
        except NotUp:
            return Down(fault.code, words, figures)
        figures[REMAINING] = until - around.wall()
        return Down(fault.code, f"{words} (it is for {_said(names)})", figures)


def _said(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more if names else "no name"
