"""Agents of other systems as Debian packages them, each doing its usual work every ten seconds on the same host."""

import http.client
import os
import pwd
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import ClassVar, Self

import psutil

from tests.running import free_port

INTERVAL = 10
_PATIENCE = 30.0


class Agent:
    """One running agent; started and ended here, by its process."""

    name: ClassVar[str]
    program: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def ask(self) -> None:
        """What its server does every ten seconds, where the agent waits to be asked."""

    def values(self) -> int:
        """How many values it gives each time."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o755)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen([self.program, *self.arguments()], stdout=log, stderr=log)
        time.sleep(1)
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name}: {(self._folder / 'log').read_text(errors='replace')[-1000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self._process.pid)


class NodeExporter(Agent):
    name = "node_exporter"
    program = "prometheus-node-exporter"

    def arguments(self) -> list[str]:
        return [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"]

    def ask(self) -> None:
        self.values()

    def values(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        connection.request("GET", "/metrics")
        body = connection.getresponse().read()
        connection.close()
        return sum(not line.startswith(b"#") for line in body.splitlines())


class Collectd(Agent):
    """Writes CSV files, the plainest thing it can do with what it reads."""

    name = "collectd"
    program = "collectd"
    _PLUGINS = (
        *("cpu", "df", "disk", "interface", "load", "memory", "processes"),
        *("protocols", "swap", "tcpconns", "uptime", "users", "vmem"),
    )

    def arguments(self) -> list[str]:
        config = self._folder / "collectd.conf"
        plugins = "\n".join(f"LoadPlugin {name}" for name in (*self._PLUGINS, "csv"))
        config.write_text(
            f'BaseDir "{self._folder}"\nPIDFile "{self._folder}/pid"\nInterval {INTERVAL}\n{plugins}\n'
            f'<Plugin csv>\n  DataDir "{self._folder}/csv"\n</Plugin>\n'
        )
        return ["-f", "-C", str(config)]

    def values(self) -> int:
        return sum(1 for _ in (self._folder / "csv").rglob("*-20*"))


class Zabbix(Agent):
    """Asked for some forty items, about what its Linux template asks for."""

    _PORTS = range(20_000, 32_767)  # it takes no higher ones

    name = "zabbix-agent"
    program = "zabbix_agentd"
    _ITEMS = (
        *(f"system.cpu.util[,{mode}]" for mode in ("user", "nice", "system", "idle", "iowait", "steal")),
        *(f"system.cpu.load[all,{span}]" for span in ("avg1", "avg5", "avg15")),
        *(f"vm.memory.size[{part}]" for part in ("total", "available", "pavailable", "cached", "buffers")),
        *(f"system.swap.size[,{part}]" for part in ("free", "total", "pfree")),
        *(f"vfs.fs.size[/,{part}]" for part in ("total", "used", "pused")),
        *(f"vfs.fs.inode[/,{part}]" for part in ("pfree", "used")),
        *(
            f"net.if.{way}[lo{part}]"
            for way in ("in", "out")
            for part in ("", ",packets", ",errors", ",dropped")
        ),
        *("vfs.dev.read[,ops]", "vfs.dev.write[,ops]", "vfs.dev.read[,sectors]", "vfs.dev.write[,sectors]"),
        *("proc.num", "proc.num[,,run]", "kernel.maxfiles", "kernel.maxproc", "system.boottime"),
        *("system.uptime", "system.users.num", "system.cpu.num", "system.cpu.switches", "system.cpu.intr"),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = next(port for port in self._PORTS if _is_free(port))

    def arguments(self) -> list[str]:
        config = self._folder / "agentd.conf"
        config.write_text(
            f"PidFile={self._folder}/pid\nLogType=console\nServer=127.0.0.1\nListenIP=127.0.0.1\n"
            f"ListenPort={self.port}\nStartAgents=1\nAllowRoot=1\nHostname=bench\n"
        )
        return ["-f", "-c", str(config)]

    def ask(self) -> None:
        self.values()

    def values(self) -> int:
        return sum(self._one(key) for key in self._ITEMS)

    def _one(self, key: str) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE) as link:
            link.sendall(b"ZBXD\1" + struct.pack("<Q", len(key)) + key.encode())
            answer = b"".join(iter(lambda: link.recv(4096), b""))
        return len(answer) > 13 and b"ZBX_NOTSUPPORTED" not in answer  # after its header


class Netdata(Agent):
    """With its own defaults but for the interval, the pages and the plugins that are programs of their own."""

    name = "netdata"
    program = "netdata"

    def arguments(self) -> list[str]:
        config = self._folder / "netdata.conf"
        folders = {name: self._folder / name for name in ("cache", "lib", "logs", "etc", "run")}
        for path in folders.values():
            path.mkdir()
        owner = pwd.getpwuid(os.getuid()).pw_name
        config.write_text(
            f"[directories]\n  cache = {folders['cache']}\n  lib = {folders['lib']}\n  log = {folders['logs']}\n"
            f"  config = {folders['etc']}\n  home = {folders['run']}\n"
            f"[global]\n  run as user = {owner}\n"
            f"[db]\n  mode = dbengine\n  update every = {INTERVAL}\n"
            f"[web]\n  bind to = 127.0.0.1\n  default port = {self.port}\n"
            "[registry]\n  enabled = no\n[ml]\n  enabled = no\n"
            "[plugins]\n  go.d = no\n  python.d = no\n  charts.d = no\n  node.d = no\n  statsd = no\n  apps = no\n"
        )
        return ["-D", "-c", str(config), "-P", str(self._folder / "pid")]

    def values(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        connection.request("GET", "/api/v1/allmetrics?format=prometheus&help=no&types=no")
        body = connection.getresponse().read()
        connection.close()
        return sum(bool(line) and not line.startswith(b"#") for line in body.splitlines())


EVERY: tuple[type[Agent], ...] = (NodeExporter, Collectd, Zabbix, Netdata)


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def installed() -> list[type[Agent]]:
    return [one for one in EVERY if shutil.which(one.program)]
