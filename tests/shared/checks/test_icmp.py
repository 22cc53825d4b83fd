"""Pings on loopback, with and without rights; and replies that are not ours."""

import asyncio
import os
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.checks import Status, Unknown
from pudim.checks.icmp import FASTEST, LOSS, MEAN, SLOWEST, Pinger, checksum, open_socket
from tests.shared.checks.places import around, found


def may_ping() -> bool:
    try:
        open_socket("127.0.0.1").close()
    except Unknown:
        return False
    return True


needs_ping = pytest.mark.skipif(
    not may_ping(), reason="this user may not ping: see net.ipv4.ping_group_range"
)


@needs_ping
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_loopback_answers(host: str) -> None:
    outcome = await found("icmp", host=host, packets=4)
    assert (outcome.status, outcome.figures[LOSS]) == (Status.UP, 0)
    assert 0 < outcome.figures[FASTEST] <= outcome.figures[MEAN] <= outcome.figures[SLOWEST]
    assert outcome.duration == outcome.figures[MEAN]


@needs_ping
async def test_too_slow_is_down() -> None:
    outcome = await found("icmp", host="127.0.0.1", packets=1, slowest=1e-9)
    assert (outcome.status, outcome.code) == (Status.DOWN, "slow")


async def test_where_nobody_may_ask() -> None:
    for host in ("169.254.169.254", "224.0.0.1", "255.255.255.255", "0.1.2.3", "fe80::1", "ff02::1"):
        outcome = await found("icmp", host=host)
        assert (outcome.status, outcome.code) == (Status.UNKNOWN, "address_refused")


_IN_A_NETWORK_OF_ITS_OWN = """
import asyncio, ctypes, fcntl, os, socket, struct, sys, time
if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
    sys.exit(77)
with socket.socket() as one:  # bring loopback up
    fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x49))
if sys.argv[1] == "open":
    open("/proc/sys/net/ipv4/ping_group_range", "w").write("0 65534")
from pudim.checks import Spec, Surroundings, attempt, checks
from pudim.checks.addresses import Guard
config = checks["icmp"].Config(host=sys.argv[2], packets=2)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
outcome = asyncio.run(attempt(Spec("1", "icmp", 60, 5, config), Surroundings(Guard(), time.time)))
print(outcome.status.value, outcome.code)
"""


def pinged_without_rights(*arguments: str) -> str:
    """In a network namespace where the right to ping can be given and taken, as user nobody."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_NETWORK_OF_ITS_OWN, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("making a network namespace needs root")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(os.getuid() != 0, reason="changing users needs root")
def test_a_ping_socket_needs_no_rights_where_the_host_allows_it() -> None:
    assert pinged_without_rights("open", "127.0.0.1") == "up ok"


@pytest.mark.skipif(os.getuid() != 0, reason="changing users needs root")
def test_who_may_not_ping_says_so_and_not_that_the_host_is_down() -> None:
    assert pinged_without_rights("closed", "127.0.0.1") == "unknown not_permitted"


@pytest.mark.skipif(os.getuid() != 0, reason="changing users needs root")
def test_where_no_way_leads_it_is_down() -> None:
    assert pinged_without_rights("open", "192.0.2.1") == "down unreachable"


@needs_ping
async def test_replies_that_are_not_ours_count_nothing() -> None:
    with open_socket("127.0.0.1") as made:
        pinger = Pinger(made, "127.0.0.1", around())
        try:
            pinger._sent[1] = 0.0
            good = struct.pack("!BBHHH", 0, 0, 0, 0, 1) + pinger._token
            head = b"\x45" + b"\0" * 19 if pinger._is_raw else b""
            for message, source in (
                (good[:-1] + b"?", "127.0.0.1"),
                (good, "127.0.0.2"),
                (b"\x08" + good[1:], "127.0.0.1"),
                (good[:6] + b"\0\2" + good[8:], "127.0.0.1"),
                (b"", "127.0.0.1"),
                (b"\x4f", "127.0.0.1"),
            ):
                pinger._take(head + message if message else message, source)
            assert not pinger._trips
            pinger._take(head + good, "127.0.0.1")
            assert list(pinger._trips) == [1]
        finally:
            pinger.close()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@needs_ping
async def test_a_run_that_is_ended_leaves_nothing_open() -> None:
    before = open_files()
    running = asyncio.ensure_future(found("icmp", host="127.0.0.1", packets=20))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert open_files() == before


@given(st.binary(max_size=100))
def test_the_sum_makes_a_message_whole(message: bytes) -> None:
    even = message + b"\0" * (len(message) % 2)
    assert checksum(even + struct.pack("!H", checksum(even))) == 0
