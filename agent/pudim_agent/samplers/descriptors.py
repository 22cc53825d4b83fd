"""Open files of the whole host, from /proc/sys/fs/file-nr."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_SERIES = (series("system.linux.file_descriptor.count"), series("system.linux.file_descriptor.limit"))


@samplers.register("descriptors")
class Descriptors:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        try:
            allocated, unused, limit = map(float, self._host.read("sys/fs/file-nr").split())
        except OSError:
            return
        yield Reading(_SERIES, [allocated - unused, limit])
