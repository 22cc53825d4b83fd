"""Files with keys are for their owner alone, whole or not there, and anything else is refused by name."""

import os
import threading
from pathlib import Path

import pytest

from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    KeyFileError,
    KeyFileForeignError,
    KeyFileMissingError,
    KeyFileOpenError,
    KeyFolderOpenError,
    changed_by_one,
    create_private,
    read_private,
    replace_private,
)

SECRET = b"a secret"
NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(autouse=True)
def lax_umask() -> object:
    previous = os.umask(0)
    yield
    os.umask(previous)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "data" / "one.key"
    assert create_private(found, SECRET)
    return found


def test_what_is_made_is_private_and_nothing_else_remains(path: Path) -> None:
    assert read_private(path, 100) == SECRET
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_what_is_there_is_never_written_over(path: Path) -> None:
    assert not create_private(path, b"another")
    assert read_private(path, 100) == SECRET
    assert list(path.parent.iterdir()) == [path]


def test_a_replacement_is_private_too(path: Path) -> None:
    before = path.stat().st_ino
    replace_private(path, b"another")
    assert read_private(path, 100) == b"another"
    assert (mode(path), path.stat().st_ino == before) == (0o600, False)
    assert list(path.parent.iterdir()) == [path]


def test_a_replacement_goes_where_a_link_leads(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(path)
    replace_private(link, b"another")
    assert link.is_symlink()
    assert read_private(path, 100) == b"another"


@pytest.mark.parametrize("wider", [0o640, 0o604, 0o620, 0o660, 0o666, 0o644, 0o610, 0o601])
def test_a_file_that_others_may_use_is_refused(path: Path, wider: int) -> None:
    path.chmod(wider)
    with pytest.raises(KeyFileOpenError, match=f"{wider:04o}"):
        read_private(path, 100)


def test_a_file_that_its_owner_may_only_read_is_fine(path: Path) -> None:
    path.chmod(0o400)
    assert read_private(path, 100) == SECRET


@pytest.mark.parametrize("wider", [0o770, 0o707, 0o777, 0o1777, 0o720])
def test_a_folder_that_others_may_write_into_is_refused(path: Path, wider: int) -> None:
    path.parent.chmod(wider)
    for use in (lambda: read_private(path, 100), lambda: create_private(path.with_name("new"), SECRET)):
        with pytest.raises(KeyFolderOpenError):
            use()
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_in_which_others_see_names_is_fine(path: Path) -> None:
    path.parent.chmod(0o755)
    assert read_private(path, 100) == SECRET


@as_root
def test_anothers_file_is_refused(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(KeyFileForeignError, match=str(NOBODY)):
        read_private(path, 100)
    with pytest.raises(KeyFileForeignError):
        read_private(path, 100, lent=True)


@as_root
def test_anothers_folder_is_refused(path: Path) -> None:
    os.chown(path.parent, NOBODY, NOBODY)
    with pytest.raises(KeyFileForeignError, match=str(NOBODY)):
        read_private(path, 100)


@as_root
def test_a_credential_of_systemd_may_be_roots_with_an_access_list(path: Path) -> None:
    path.chmod(0o440)
    path.parent.chmod(0o755)
    with pytest.raises(KeyFileOpenError):
        read_private(path, 100)
    assert read_private(path, 100, lent=True) == SECRET
    path.chmod(0o444)
    with pytest.raises(KeyFileOpenError):
        read_private(path, 100, lent=True)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.key", tmp_path / "no" / "folder.key"):
        with pytest.raises(KeyFileMissingError, match=path.name):
            read_private(path, 100)


def test_what_is_no_file_is_damaged_and_nothing_waits_for_it(path: Path) -> None:
    pipe, folder = path.with_name("pipe"), path.with_name("folder")
    os.mkfifo(pipe, 0o600)
    folder.mkdir(mode=0o700)
    for one in (pipe, folder):
        with pytest.raises(KeyFileError):
            read_private(one, 100)


def test_what_is_too_long_is_damaged(path: Path) -> None:
    assert read_private(path, len(SECRET)) == SECRET
    with pytest.raises(KeyFileDamagedError):
        read_private(path, len(SECRET) - 1)


def test_one_changes_at_a_time(path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with changed_by_one(path.parent):
            order.append("second")

    thread = threading.Thread(target=second)
    with changed_by_one(path.parent):
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
