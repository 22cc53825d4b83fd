"""Who the simulated servers are: what they are made of, what runs on them, and when they are busy."""

from __future__ import annotations

from dataclasses import dataclass

GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Process:
    """The processes of one name: their shares in the host's CPU work and used memory."""

    name: str
    cpu: float
    memory: float
    count: int = 1
    threads: int = 1


@dataclass(frozen=True)
class Mount:
    """A filesystem that fills from `low` to `high`, then is cleaned up; or creeps, where nobody cleans up."""

    point: str
    device: str
    kind: str
    size: int
    low: float
    high: float
    cleaned: bool = True


@dataclass(frozen=True)
class Kind:
    """A sort of server. Shares are fractions of its cores or memory; `peak` is an hour of the day in UTC."""

    name: str
    cores: int
    memory: int
    swap: int
    mounts: tuple[Mount, ...]
    processes: tuple[Process, ...]
    idle: float
    swing: float
    peak: float
    weekend: float
    nightly: float
    used: float
    reads: float
    writes: float
    traffic: float


def _root(gibibytes: int, low: float, high: float) -> Mount:
    return Mount("/", "/dev/vda1", "ext4", gibibytes * GIBIBYTE, low, high)


_SYSTEM = (
    Process("systemd", 0.01, 0.02, 4, 4),
    Process("sshd", 0.005, 0.01, 2, 2),
    Process("python3", 0.01, 0.03, 1, 2),
)
WEB = Kind(
    name="web",
    cores=4,
    memory=8 * GIBIBYTE,
    swap=0,
    mounts=(_root(40, 0.34, 0.86),),
    processes=(
        Process("nginx", 0.22, 0.06, 5, 5),
        Process("gunicorn", 0.62, 0.58, 9, 36),
        Process("redis-server", 0.07, 0.14, 1, 5),
        *_SYSTEM,
    ),
    idle=0.06,
    swing=0.52,
    peak=14.0,
    weekend=0.55,
    nightly=0.0,
    used=0.38,
    reads=3.0,
    writes=22.0,
    traffic=2_400_000.0,
)
DB = Kind(
    name="db",
    cores=8,
    memory=32 * GIBIBYTE,
    swap=4 * GIBIBYTE,
    mounts=(
        _root(40, 0.22, 0.71),
        Mount("/var/lib/postgresql", "/dev/vdb", "xfs", 500 * GIBIBYTE, 0.41, 0.63, cleaned=False),
    ),
    processes=(Process("postgres", 0.93, 0.84, 48, 48), Process("pgbouncer", 0.04, 0.02, 1, 1), *_SYSTEM),
    idle=0.05,
    swing=0.38,
    peak=14.5,
    weekend=0.6,
    nightly=0.25,
    used=0.44,
    reads=240.0,
    writes=410.0,
    traffic=5_200_000.0,
)
WORKER = Kind(
    name="worker",
    cores=4,
    memory=16 * GIBIBYTE,
    swap=2 * GIBIBYTE,
    mounts=(_root(80, 0.45, 0.92),),
    processes=(Process("celery", 0.71, 0.66, 8, 16), Process("ffmpeg", 0.25, 0.2, 2, 12), *_SYSTEM),
    idle=0.08,
    swing=0.25,
    peak=11.0,
    weekend=0.9,
    nightly=0.55,
    used=0.31,
    reads=35.0,
    writes=90.0,
    traffic=900_000.0,
)
CACHE = Kind(
    name="cache",
    cores=2,
    memory=8 * GIBIBYTE,
    swap=0,
    mounts=(_root(20, 0.31, 0.58),),
    processes=(Process("redis-server", 0.95, 0.9, 1, 5), *_SYSTEM),
    idle=0.03,
    swing=0.22,
    peak=14.0,
    weekend=0.55,
    nightly=0.0,
    used=0.61,
    reads=1.0,
    writes=9.0,
    traffic=8_100_000.0,
)
_KINDS = (WEB, DB, WEB, WORKER, CACHE)


@dataclass(frozen=True)
class Machine:
    """One simulated server; `number` tells it from the others wherever chance has a say."""

    name: str
    number: int
    kind: Kind

    @property
    def facts(self) -> dict[str, str]:
        """What its agent would say of it, and that it is none."""
        return {
            "host.name": self.name,
            "host.arch": "x86_64",
            "os.type": "linux",
            "os.description": "Debian GNU/Linux 12 (bookworm)",
            DEMO: "true",
        }


DEMO = "pudim.demo"
"""The fact by which simulated servers are known."""
PREFIX = "demo-"


def fleet(size: int) -> list[Machine]:
    """demo-web-1, demo-db-1, demo-web-2, demo-worker-1, demo-cache-1, demo-web-3 ..."""
    counts: dict[str, int] = {}
    machines = []
    for number in range(size):
        kind = _KINDS[number % len(_KINDS)]
        counts[kind.name] = counts.get(kind.name, 0) + 1
        machines.append(Machine(f"{PREFIX}{kind.name}-{counts[kind.name]}", number, kind))
    return machines
