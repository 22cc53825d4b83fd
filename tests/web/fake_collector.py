"""A collector that only speaks the pages' side of the contract, so that a real browser can be watched alone."""

from __future__ import annotations

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pudim_web import STATIC
from tests.web.sample_hosts import groups, host
from tests.web.sample_pages import LATEST, SAMPLES, STRIP, Sample, server
from tests.web.sample_tokens import tokens_page

POLICY = (
    "default-src 'none'; script-src 'nonce-nonce-1' 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
LABELS: dict[str, list[dict[str, str]]] = {
    "system.cpu.utilization": [{}, {"cpu.mode": "user"}, {"cpu.mode": "system"}, {"cpu.mode": "idle"}],
    "system.memory.usage": [{"system.memory.state": state} for state in ("used", "free")],
    "system.linux.pressure.share": [{"resource": "cpu", "kind": kind} for kind in ("some", "full")],
    "system.network.io.rate": [
        {"network.interface.name": name, "network.io.direction": direction}
        for name in ("lo", "eth0")
        for direction in ("receive", "transmit")
    ],
}
UNITS = {"system.memory.usage": "By", "system.network.io.rate": "By/s"}
PAGES = {f"/sample/{index}": sample for index, sample in enumerate(SAMPLES.values())}


class FakeCollector(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.servers: list[dict[str, Any]] = [server(), server("silent", id="2", name="db-1")]
        self.host = host()
        self.asked: list[dict[str, list[str]]] = []
        self.broken: set[str] = set()
        self.empty = False
        self.silent_for = 0.0
        self.streams: list[queue.Queue[bytes]] = []
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def push(self, event: str, content: Any) -> None:
        """Sends an event to every open stream."""
        for stream in self.streams:
            stream.put(f"event: {event}\ndata: {json.dumps(content)}\n\n".encode())

    def series(self, query: dict[str, list[str]]) -> dict[str, Any]:
        now = time.time()
        start, end = (_instant(query[name][0], now) for name in ("from", "to"))
        step = max(10.0, (end - start) / int(query["points"][0]))
        first = start // 10 * 10 + 10  # on the agents' grid, the same for every question
        times = (
            []
            if self.empty
            else [first + index * step for index in range(int((end - self.silent_for - first) / step))]
        )
        metric = query["metric"][0]
        columns = {name: [0.25] * len(times) for name in ("min", "avg", "max")}
        return {
            "metric": metric,
            "unit": UNITS.get(metric, "1"),
            "from": start,
            "to": end,
            "step": step,
            "series": [
                {"server": one, "labels": labels, "time": times, "count": [1] * len(times), **columns}
                for one in query["server"]
                for labels in LABELS.get(metric, [{}])
            ],
        }


TOKEN_PAGES = {"/account/tokens": SAMPLES["no tokens"], "/account/tokens/new": SAMPLES["new token"]}


class Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeCollector

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - its name in the base class

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path, query = address.path, parse_qs(address.query)
        if path.startswith("/static/"):
            self._answer((STATIC / path.removeprefix("/static/")).read_bytes(), TYPES[path.rsplit(".", 1)[1]])
        elif path.startswith("/live/"):
            self._stream()
        elif path.startswith("/api/"):
            self._api(path, query)
        else:
            self._page(self._sample(path))

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        fields = parse_qs(self.rfile.read(length).decode())
        if self.headers.get("HX-Request") and self.headers.get("X-CSRF-Token") != fields["csrf_token"][0]:
            self._answer(b"", "text/plain", 403)
            return
        created = {"name": fields["name"][0], "token": "pudim_fresh"}
        self._page(Sample("tokens/list.html", tokens_page(created=created)))

    def _sample(self, path: str) -> Sample:
        if path in PAGES:
            return PAGES[path]
        if path == "/servers":
            return Sample("servers/list.html", {"servers": self.server.servers})
        if path in TOKEN_PAGES:
            return TOKEN_PAGES[path]
        known = {
            "latest": LATEST,
            "strip": STRIP,
            "host": self.server.host,
            "groups": groups(),
            "embedded": [("checks", "Checks")],
        }
        if path.endswith("/checks"):
            return SAMPLES["tokens"]  # any page of cards
        if "/parts/" in path:
            return Sample(
                f"notices/_{path.rpartition('/')[2]}.html", {"server": server(), "host": self.server.host}
            )
        return Sample("metrics/server.html", {"server": server(), **known})

    def _page(self, sample: Sample) -> None:
        self._answer(sample.render().encode(), "text/html; charset=utf-8")

    def _api(self, path: str, query: dict[str, list[str]]) -> None:
        if path == "/api/v2/charts":
            self._charts(query)
            return
        if path != "/api/v2/series":
            content: Any = (
                server() if path.count("/") > 3 else {"items": self.server.servers, "next_cursor": None}
            )
            self._answer(json.dumps(content).encode(), "application/json")
            return
        self.server.asked.append(query)
        if query["metric"][0] in self.server.broken:
            problem = {"title": "Unavailable", "detail": "The database does not answer.", "status": 503}
            self._answer(json.dumps(problem).encode(), "application/problem+json", 503)
        else:
            self._answer(json.dumps(self.server.series(query)).encode(), "application/json")

    def _charts(self, query: dict[str, list[str]]) -> None:
        each = [query | {"metric": [metric]} for metric in query["metric"]]
        if self.server.broken & set(query["metric"]):
            self._answer(b"{}", "application/problem+json", 503)
            return
        self.server.asked.extend(each)
        found = [self.server.series(one) for one in each]
        self._answer(json.dumps(found[0] | {"metrics": found}).encode(), "application/json")

    def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        events: queue.Queue[bytes] = queue.Queue()
        self.server.streams.append(events)
        try:
            while True:
                self.wfile.write(events.get())
        except OSError:
            self.server.streams.remove(events)


def _instant(text: str, now: float) -> float:
    if text == "now":
        return now
    if text.startswith("-"):
        return now - float(text[1:-1]) * {"m": 60, "h": 3600, "d": 86_400}[text[-1]]
    return float(text)
