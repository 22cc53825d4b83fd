"""The benchmark's own means: a client that reads every answer whole, and values that a peer understands."""

import http.server
import threading
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from pudim_collector.ingest.outside.bodies import unsnap
from pudim_collector.ingest.outside.messages import Label, WriteRequest
from tests.bench import remote_write
from tests.bench.client import Client, Refused, Timing
from tests.bench.load import WIDTH, Plan, realistic
from tests.bench.peers import windows
from tests.bench.questions import chart_paths

BODY = bytes(range(256)) * 3000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BODY), 70_000):
                piece = BODY[start : start + 70_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        body = self.headers["X-Said"].encode() if self.path == "/header" else BODY
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_answers_are_read_whole_on_one_connection(port: int) -> None:
    with Client(port, {"X-Said": "hello"}) as client:
        for path, expected in (("/plain", BODY), ("/chunked", BODY), ("/header", b"hello"), ("/plain", BODY)):
            assert client.get(path) == expected
        assert client.busy > 0
        with pytest.raises(Refused, match="404"):
            client.get("/missing")
        assert client.get("/plain") == BODY


def test_percentiles_are_of_milliseconds() -> None:
    timing = Timing.of([n / 1000 for n in range(1, 101)], busy=0.5, size=1000)
    assert timing.requests == 100
    assert timing.p50_ms == pytest.approx(50.5)
    assert timing.p95_ms == pytest.approx(95.05)
    assert timing.most_ms == pytest.approx(100)
    assert timing.client_ms == pytest.approx(5)
    assert timing.bytes == 10


def test_peers_are_sent_what_we_store() -> None:
    times = np.array([1_790_000_000_000, 1_790_000_010_000, 1_790_000_020_000])
    columns = np.array([[1.5, -2.0], [np.pi, 1e300], [0.0, 42.0]])
    heads = [remote_write.labels({"server": "7", "__name__": name}) for name in ("one", "two")]
    body = remote_write.body(list(zip(heads, remote_write.samples(times, columns), strict=True)))
    request = WriteRequest()
    request.ParseFromString(unsnap(body, 10_000))
    pairs = [[Label.FromString(pair) for pair in one.labels] for one in request.timeseries]
    assert [[(pair.name, pair.value) for pair in one] for one in pairs] == [
        [("__name__", "one"), ("server", "7")],
        [("__name__", "two"), ("server", "7")],
    ]
    for one, column in zip(request.timeseries, columns.T, strict=True):
        assert [(sample.timestamp, sample.value) for sample in one.samples] == list(
            zip(times.tolist(), column.tolist(), strict=True)
        )


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**21, 2**40])
def test_varints(number: int) -> None:
    found = remote_write.varint(number)
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found)) == number
    assert [byte >> 7 for byte in found] == [1] * (len(found) - 1) + [0]


def test_rounds_follow_each_other_and_go_on_with_the_same_series() -> None:
    first, second = realistic(50, 7, 0), realistic(50, 7, 14_400)
    third = WIDTH // 3
    assert first.shape == (50, WIDTH)
    assert np.array_equal(first[0, :third], second[-1, :third]), "near-constant"
    assert not np.array_equal(first[:, third:], second[:, third:])
    steps = np.abs(np.diff(first[:, third : 2 * third], axis=0))
    assert np.all(steps < 0.11)
    assert np.all(first[:, 2 * third :] == np.floor(first[:, 2 * third :]))
    assert np.array_equal(first, realistic(50, 7, 0))


def test_frames_begin_where_they_are_told_to_or_end_now() -> None:
    now = 1_790_000_003_000
    told = Plan(batches=2, frames=3, window=1, pause=0, start=1_789_990_000)
    assert told.times(now).tolist() == [1_789_990_000_000 + n * 10_000 for n in range(6)]
    assert Plan(2, 3, 1, 0).times(now).tolist()[-1] == 1_789_999_990_000


def test_windows_cover_the_range_once() -> None:
    found = list(windows(0, 5000))
    assert found[0][0] == 0
    assert found[-1][1] == 5000
    assert all(before[1] == after[0] for before, after in pairwise(found))


def test_a_page_is_asked_for_as_its_charts_come_into_view() -> None:
    chart = (
        '<pudim-chart class="card" server="x" heading="H" metric="{}" kind="stacked"><i data-metric="no"></i>'
    )
    page = "\n".join(chart.format(metrics) for metrics in ("a", "b", "c.1m,c.5m", "d", "e", "f", "g"))
    paths = chart_paths(page, "x", "90d")
    over = "server=x&from=-90d&to=now&points=620"
    assert paths == [
        f"/api/v2/charts?{over}&metric=a&metric=b&metric=c.1m&metric=c.5m&metric=d",
        f"/api/v2/charts?{over}&metric=e&metric=f",
        f"/api/v2/series?{over}&metric=g",
    ]
