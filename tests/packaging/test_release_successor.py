"""A host goes on taking updates when the release key changes, by the word of the key that it pinned and of no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.succession import COLLECTOR_DOMAIN, LINK_BYTES, RELEASE_DOMAIN, Successor
from pudim.wire.keys import generate, public_bytes, to_text
from pudim_collector.app.key_rotation import rotate_release_key
from pudim_collector.app.key_succession import RELEASE, begin, succession_of
from pudim_collector.app.keys import release_key
from pudim_collector.app.settings import Settings
from pudim_collector.features.installing.service import FOLDER, Releases
from tests.packaging.hosts import Host, Service, invitation
from tests.packaging.releases import Shop
from tests.packaging.test_updating import end_agent, installed, running_release, service, stage
from tests.running import RunningPudim

__all__ = ["installed", "service"]
pytestmark = pytest.mark.processes
DAY = 86_400_000


def pinned(host: Host) -> str:
    return (host.root / "etc/pudim/release.pub").read_text().strip()


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


@dataclass
class Change:
    """The key before and the one that followed, as `pudim admin rotate-release-key` made it."""

    before: Ed25519PrivateKey
    chain: Path

    def link(
        self,
        after: Ed25519PrivateKey,
        *,
        signer: Ed25519PrivateKey | None = None,
        domain: bytes = RELEASE_DOMAIN,
        age: timedelta = timedelta(),
    ) -> bytes:
        at = now_ms() - int(age.total_seconds() * 1000)
        said = Successor(9, public_bytes(self.before), public_bytes(after), at, at + DAY).encode()
        return said + (signer or self.before).sign(domain + said)


@pytest.fixture
def change(installed: Host, pudim: RunningPudim) -> Iterator[Change]:
    before = release_key(pudim.data_dir)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pudim.cli", "admin", "rotate-release-key"),
            *("--data-dir", str(pudim.data_dir)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == to_text(public_bytes(release_key(pudim.data_dir)))
    assert pinned(installed) == to_text(public_bytes(before)) != done.stdout.strip()
    chain = pudim.data_dir / RELEASE.chain_file
    whole = chain.read_bytes()
    yield Change(before, chain)
    chain.write_bytes(whole)


def test_an_update_across_the_change_streams_and_pins_the_key_that_followed(
    service: Service, installed: Host, pudim: RunningPudim, shop: Shop, change: Change
) -> None:
    done = stage(installed, pudim, shop.offer("0.5.0"))
    assert done.returncode == 0, done.stderr
    assert pinned(installed) == to_text(public_bytes(change.before)), "root alone pins"
    end_agent(installed)
    service.until(lambda: running_release(installed).startswith("0.5.0-"))
    after = to_text(public_bytes(release_key(pudim.data_dir)))
    assert pinned(installed) == after
    # And from then on by that key alone, without any word on how it came to be.
    change.chain.write_bytes(b"")
    assert stage(installed, pudim, shop.offer("0.5.1")).returncode == 0
    older = Releases(pudim.data_dir, change.before)
    shop.offer("0.5.2")
    older.sign_anew()
    digest, signature = older.names()
    words = ["--version=0.5.2", f"--digest={digest}", f"--signature={signature}"]
    refused = stage(installed, pudim, words)
    assert (refused.returncode, "not signed" in refused.stderr) == (1, True)
    shop.releases.sign_anew()


THIEF, THIEF_NEXT = generate(), generate()
CHAINS: dict[str, tuple[Callable[[Change], bytes], str]] = {
    "signed by a stranger": (lambda one: one.link(THIEF, signer=THIEF), "succession_forged"),
    "signed for the collector's key": (
        lambda one: one.link(THIEF, domain=COLLECTOR_DOMAIN),
        "succession_forged",
    ),
    "expired": (lambda one: one.link(THIEF, age=timedelta(days=2)), "succession_expired"),
    "of the future": (lambda one: one.link(THIEF, age=-timedelta(days=2)), "succession_too_early"),
    "cut short": (lambda one: one.link(THIEF)[:-1], "succession_unreadable"),
    "of another key": (
        lambda one: Change(THIEF, one.chain).link(THIEF_NEXT),
        "not signed by the pinned release key",
    ),
    "none": (lambda _: b"", "not signed by the pinned release key"),
    "endless": (lambda _: bytes(100 * LINK_BYTES), "more comes than"),
}


def test_no_other_chain_is_followed(installed: Host, pudim: RunningPudim, shop: Shop, change: Change) -> None:
    words = shop.offer("0.6.0")
    before = pinned(installed)
    for name, (chain, no) in CHAINS.items():
        change.chain.write_bytes(chain(change))
        done = stage(installed, pudim, words)
        assert (done.returncode, no in done.stderr) == (1, True), (name, done.stderr)
        assert not (installed.state / "update").exists()
    assert pinned(installed) == before


def test_root_believes_no_chain_because_the_agent_staged_it(
    installed: Host, pudim: RunningPudim, shop: Shop, change: Change
) -> None:
    assert stage(installed, pudim, shop.offer("0.7.0")).returncode == 0
    staged, before, current = installed.state / "update", pinned(installed), installed.current
    document = (staged / "release").read_bytes()[64:]
    (staged / "release").write_bytes(THIEF.sign(b"pudim agent release\0" + document) + document)
    (staged / "successors").write_bytes(change.link(THIEF, signer=THIEF))
    done = installed.launch("prepare")
    assert "succession_forged" in done.stderr
    assert (pinned(installed), installed.current) == (before, current)
    assert not staged.exists()


def test_a_line_that_was_copied_before_the_change_installs_and_pins_the_newer_key(
    installed: Host, pudim: RunningPudim, change: Change
) -> None:
    words, _ = invitation(pudim, "later")
    at = words.index("--release-key")
    old = [*words[: at + 1], to_text(public_bytes(change.before)), *words[at + 2 :]]
    done = installed.install(*old)
    assert done.returncode == 0, done.stderr
    assert pinned(installed) == to_text(public_bytes(release_key(pudim.data_dir)))


def test_a_change_that_was_interrupted_is_brought_to_its_end(tmp_path: Path, bundle: Path) -> None:
    """At each point the release on offer is signed by a key that the chain leads to."""
    first = release_key(tmp_path)
    Releases(tmp_path, first).add(bundle)
    said = begin(tmp_path, RELEASE, datetime.now(UTC))
    assert rotate_release_key(Settings(tmp_path)) == to_text(said.key)
    assert public_bytes(release_key(tmp_path)) == said.key
    assert succession_of(tmp_path, RELEASE, said.key).links[0][:LINK_BYTES] == (
        Releases(tmp_path, first).successors()
    )
    signed = (tmp_path / FOLDER / "release").read_bytes()
    release_key(tmp_path).public_key().verify(signed[:64], b"pudim agent release\0" + signed[64:])
