"""Settings out of the environment: what they mean, and which variable is to blame when they mean nothing."""

from pathlib import Path

import pytest

from pudim_collector.app.settings import BadSetting, Role, Settings, read_settings


def test_nothing_set_means_everything_here() -> None:
    assert read_settings({}) == Settings(Path(".pudim"), None, "127.0.0.1", 8460, None, Role.ALL)
    empty = dict.fromkeys(
        (
            *("PUDIM_DATA_DIR", "PUDIM_DATABASE_URL", "PUDIM_HOST", "PUDIM_PORT"),
            *("PUDIM_PUBLIC_URL", "PUDIM_ROLE"),
        ),
        "",
    )
    assert read_settings(empty) == read_settings({})


def test_every_variable_is_read() -> None:
    found = read_settings(
        {
            "PUDIM_DATA_DIR": "/var/lib/pudim",
            "PUDIM_DATABASE_URL": "postgresql://db/pudim",
            "PUDIM_HOST": "::",
            "PUDIM_PORT": "443",
            "PUDIM_PUBLIC_URL": "https://pudim.example.org/",
            "PUDIM_ROLE": "ingest",
        }
    )
    assert found == Settings(
        Path("/var/lib/pudim"),
        "postgresql://db/pudim",
        "::",
        443,
        "https://pudim.example.org/",
        Role.INGEST,
    )
    assert found.url == "https://pudim.example.org"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("PUDIM_PORT", value) for value in ("0", "65536", "-1", "http", "80.0", " 80", "1e3", "9" * 5000)),
        *(("PUDIM_ROLE", value) for value in ("everything", "ALL", " web")),
        *(
            ("PUDIM_PUBLIC_URL", value)
            for value in (
                *("pudim.example.org", "ftp://x", "https://", "https:///x", "https://[", "https://:443"),
                *("https://x:port", "https://x:99999", "//x", "javascript:x"),
            )
        ),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        read_settings({variable: value})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8460"),
        ("0.0.0.0", "http://127.0.0.1:8460"),  # noqa: S104 - a value to be read
        ("::", "http://127.0.0.1:8460"),
        ("::1", "http://[::1]:8460"),
        ("10.1.2.3", "http://10.1.2.3:8460"),
    ],
)
def test_this_host_reaches_it_at(host: str, url: str) -> None:
    assert Settings(Path(), host=host).local_url == Settings(Path(), host=host).url == url


@pytest.mark.parametrize("role", Role)
def test_a_role_includes_itself_and_all_includes_every_one(role: Role) -> None:
    assert [part for part in Role if role.includes(part)] == (
        [Role.ALL, Role.WEB, Role.INGEST, Role.JOBS] if role is Role.ALL else [role]
    )
