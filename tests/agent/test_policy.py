"""The policy counts only while nobody but its owner could have written it; what does not count allows nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pudim.wire import keys
from pudim_agent import policy as policies
from pudim_agent.actions import actions
from pudim_agent.policy import (
    FREEZE,
    MAX_BYTES,
    OBSERVE_ONLY,
    Policy,
    PolicyFaults,
    Trust,
    identity_of,
    load,
    parse,
)
from pudim_agent.unfollowed import NotPlain, is_plain, open_directory, open_file

TEXT = """
frozen = false
[actions.refresh]
[actions.tail_log]
files = ["/var/log/nginx/*.log"]
max_lines = 50
[actions.restart_unit]
units = ["nginx.service"]
[checks]
networks = ["10.0.0.0/8", "fd00::/8"]
"""
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the policy lies, two directories below where trust begins."""
    made = tmp_path / "etc" / "pudim"
    made.mkdir(parents=True, mode=0o755)
    for one in (made, made.parent, tmp_path):
        one.chmod(0o755)
    return made


@pytest.fixture
def path(folder: Path) -> Path:
    found = folder / "policy.toml"
    found.write_text(TEXT)
    found.chmod(0o644)
    return found


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(os.getuid(), str(tmp_path))


def code(policy: Policy) -> str | None:
    assert not (policy.refused and policy.allowed), "what is refused allows nothing"
    return policy.refused.code if policy.refused else None


def test_what_it_says(path: Path, trust: Trust) -> None:
    policy = load(path, trust)
    assert code(policy) is None
    assert sorted(policy.allowed) == ["refresh", "restart_unit", "tail_log"]
    assert policy.allowed["tail_log"].files == ("/var/log/nginx/*.log",)
    assert (policy.allowed["tail_log"].max_lines, policy.allowed["tail_log"].max_kib) == (50, 32)
    assert policy.networks == ("10.0.0.0/8", "fd00::/8")
    assert not policy.frozen
    told = policy.told()
    assert told["bounds"]["restart_unit"] == {"units": ["nginx.service"]}
    assert (told["refused"], told["reason"], len(told["digest"])) == (None, None, 64)


def test_without_a_file_nothing_is_allowed(folder: Path, trust: Trust) -> None:
    assert load(folder / "policy.toml", trust) == OBSERVE_ONLY
    assert load(folder / "missing" / "policy.toml", trust) == OBSERVE_ONLY
    assert not OBSERVE_ONLY.allowed


def test_an_empty_file_allows_nothing(path: Path, trust: Trust) -> None:
    path.write_text("")
    assert (load(path, trust).allowed, code(load(path, trust))) == ({}, None)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646, 0o622, 0o777])
def test_a_file_that_others_can_write(path: Path, trust: Trust, mode: int) -> None:
    path.chmod(mode)
    assert code(load(path, trust)) == "policy_writable"


@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777, 0o2775])
def test_a_directory_above_that_others_can_write(path: Path, trust: Trust, above: int, mode: int) -> None:
    """Who can write there can put another file, or another directory, in its place; a sticky bit is no help for that."""
    path.parents[above].chmod(mode)
    assert code(load(path, trust)) == "policy_writable"
    path.parents[above].chmod(0o755)
    assert code(load(path, trust)) is None


@as_root
@pytest.mark.parametrize("what", [0, 1, 2, 3])
def test_somebody_else_owns_it_or_a_directory_above(path: Path, trust: Trust, what: int) -> None:
    os.chown([path, *path.parents][what], 65534, -1)
    assert code(load(path, trust)) == "policy_owner"


def test_an_owner_who_is_not_asked_for(path: Path, tmp_path: Path) -> None:
    assert code(load(path, Trust(os.getuid() + 1, str(tmp_path)))) == "policy_owner"


def test_by_default_every_directory_from_the_root_counts(path: Path) -> None:
    """The tests' own folder lies in one that everybody can write."""
    assert any(one.stat().st_mode & stat.S_IWOTH for one in path.parents)
    assert code(load(path)) in {"policy_writable", "policy_owner"}


def test_a_symbolic_link_to_it(path: Path, folder: Path, trust: Trust) -> None:
    real = folder / "real.toml"
    path.rename(real)
    path.symlink_to(real)
    assert code(load(path, trust)) == "policy_not_plain"
    path.unlink()
    path.symlink_to(folder / "nothing")
    assert code(load(path, trust)) == "policy_not_plain"


def test_a_symbolic_link_on_the_way(path: Path, tmp_path: Path, trust: Trust) -> None:
    (tmp_path / "etc").rename(tmp_path / "real")
    (tmp_path / "etc").symlink_to(tmp_path / "real")
    assert code(load(path, trust)) == "policy_not_plain"


def test_what_is_no_file(path: Path, trust: Trust) -> None:
    path.unlink()
    os.mkfifo(path)
    assert code(load(path, trust)) == "policy_not_plain"
    path.unlink()
    path.mkdir()
    assert code(load(path, trust)) == "policy_not_plain"


def test_a_path_that_is_not_written_plainly(path: Path, trust: Trust) -> None:
    odd = Path(f"{path.parent}/../pudim/policy.toml")
    assert code(load(odd, trust)) == "policy_not_plain"
    assert code(load(Path("policy.toml"), trust)) == "policy_not_plain"


def test_too_long(path: Path, trust: Trust) -> None:
    path.write_text(TEXT + "#" * (MAX_BYTES - len(TEXT)))
    assert code(load(path, trust)) is None
    path.write_text(TEXT + "#" * (MAX_BYTES - len(TEXT) + 1))
    assert code(load(path, trust)) == "policy_too_long"


def test_what_was_opened_is_what_is_read(path: Path, folder: Path, trust: Trust) -> None:
    """Between the look at a file and its reading, another one may be put in its place."""
    worse = folder / "worse.toml"
    worse.write_text(TEXT.replace("nginx.service", "evil.service"))
    worse.chmod(0o666)

    class Swapping(Trust):
        def look(self, looked: str, found: os.stat_result) -> None:
            super().look(looked, found)
            if looked == str(path):
                worse.replace(path)

    policy = load(path, Swapping(trust.owner, trust.root))
    assert policy.allowed["restart_unit"].units == ("nginx.service",)
    assert code(load(path, trust)) == "policy_writable"


def test_a_directory_that_is_swapped_while_it_is_walked(path: Path, tmp_path: Path, trust: Trust) -> None:
    evil = tmp_path / "evil"
    (evil / "pudim").mkdir(parents=True)
    (evil / "pudim" / "policy.toml").write_text(TEXT.replace("nginx.service", "evil.service"))

    class Swapping(Trust):
        def look(self, looked: str, found: os.stat_result) -> None:
            super().look(looked, found)
            if looked == str(tmp_path / "etc") and evil.exists():
                (tmp_path / "etc").rename(tmp_path / "away")
                evil.rename(tmp_path / "etc")

    policy = load(path, Swapping(trust.owner, trust.root))
    assert policy.allowed["restart_unit"].units == ("nginx.service",)


def test_frozen_by_the_file_itself(path: Path, trust: Trust) -> None:
    path.write_text(TEXT.replace("frozen = false", "frozen = true"))
    assert load(path, trust).frozen


@pytest.mark.parametrize("kind", ["file", "empty directory", "link to nothing"])
def test_frozen_by_a_file_beside_it(path: Path, trust: Trust, kind: str) -> None:
    before = identity_of(path)
    freeze = path.parent / FREEZE
    match kind:
        case "file":
            freeze.write_text("")
        case "empty directory":
            freeze.mkdir()
        case _:
            freeze.symlink_to("nothing")
    policy = load(path, trust)
    assert policy.frozen
    assert policy.allowed, "it is still told what would be allowed"
    assert identity_of(path) != before


def test_frozen_also_where_the_policy_is_refused(path: Path, trust: Trust) -> None:
    (path.parent / FREEZE).write_text("")
    path.chmod(0o666)
    assert load(path, trust).frozen


def test_a_change_is_seen(path: Path) -> None:
    before = identity_of(path)
    assert identity_of(path) == before
    path.chmod(0o666)
    assert identity_of(path) != before
    before = identity_of(path)
    path.unlink()
    assert identity_of(path) != before


def test_every_fault_at_once_with_its_line() -> None:
    text = """frozen = "yes"
colour = 1
command_key = "short"
[actions.tail_log]
files = "/var/log/syslog"
max_lines = 0
[actions.shell]
[actions.restart_unit]
unit = ["a"]
[checks]
networks = ["10.0.0.1/8"]
rate = 1
"""
    with pytest.raises(PolicyFaults) as caught:
        parse(text.encode())
    said = caught.value.faults
    assert [one.split(":")[0] for one in said] == [f"line {n}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 11, 12)]
    assert "actions.shell: no such action" in said[5]
    assert "units: missing" in said[6]
    assert "has host bits set" in said[8]


@pytest.mark.parametrize(
    "text",
    [
        "actions = 1",
        "[actions]\nrefresh = true",
        '[actions.restart_unit]\nunits = ["a\\u0000b.service"]',
        '[actions.restart_unit]\nunits = ["a.service\\n"]',
        "[actions.restart_unit]\nunits = [1]",
        "[actions.restart_unit]\nunits = []\n[actions.refresh]\nfast = true",
        "checks = []",
        "[checks]\nnetworks = 1",
        "[checks]\nnetworks = [1]",
        "command_key = 1",
        f'command_key = "{keys.to_text(bytes(32))}"',
        "x = ",
        "[a]\n[a]",
        "\x00",
        "[" * 50_000,
    ],
)
def test_what_cannot_be_understood_allows_nothing(text: str) -> None:
    with pytest.raises(PolicyFaults):
        parse(text.encode())


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(PolicyFaults):
        parse(b"frozen = false # \xff")


def test_a_pinned_key() -> None:
    public = keys.public_bytes(keys.generate())
    assert parse(f'command_key = "{keys.to_text(public)}"'.encode()).command_key == public


def test_the_digest_is_of_every_byte() -> None:
    assert parse(b"").digest != parse(b"#").digest


def test_there_is_no_action_that_runs_what_it_is_told() -> None:
    assert set(actions) == {"refresh", "tail_log", "restart_unit", "self_update"}


def test_every_reason_has_a_name_and_a_sentence() -> None:
    kinds = policies.PolicyRefused.__subclasses__()
    assert len({one.code for one in kinds}) == len(kinds)
    assert all(one.__doc__ for one in kinds)


# Opening without following


@pytest.mark.parametrize("odd", ["", "a", "/a/../b", "/a/./b", "//a", "/a//b", "/a/", "/.."])
def test_paths_that_are_not_plain(odd: str) -> None:
    assert not is_plain(odd)
    with pytest.raises(NotPlain):
        os.close(open_file(odd))


def test_a_path_outside_the_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_text("x")
    with pytest.raises(NotPlain):
        os.close(open_file(str(tmp_path / "out"), root=str(tmp_path / "in")))


def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(NotADirectoryError):
        os.close(open_directory(str(tmp_path / "link"), root=str(tmp_path / "link")))


def test_nothing_stays_open(tmp_path: Path) -> None:
    def refuse(path: str, _found: os.stat_result) -> None:
        if path.endswith("file"):
            raise NotPlain

    (tmp_path / "file").write_text("x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        os.close(open_file(str(tmp_path / "file")))
        for name, look, error in (
            ("file", refuse, NotPlain),
            ("nothing", refuse, FileNotFoundError),
            ("file/x", refuse, NotADirectoryError),
        ):
            with pytest.raises(error):
                open_file(str(tmp_path / name), look)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
