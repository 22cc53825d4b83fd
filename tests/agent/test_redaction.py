"""Command lines: what is hidden, what stays readable, and that a planted secret never survives."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.redaction import HIDDEN, redact

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["app", "--password", SECRET, "-v"], "app --password *** -v"),
        (["app", f"--password={SECRET}", "-v"], "app --password=*** -v"),
        (["app", "--token", SECRET], "app --token ***"),
        (["app", "-token", SECRET], "app -token ***"),
        (["app", "--db-pass", "-x " + SECRET], "app --db-pass ***"),
        (["app", "--auth", "--password", SECRET, "--port", "80"], "app --auth *** *** --port 80"),
        (["app", "--api-key", SECRET], "app --api-key ***"),
        (["app", f"--set=auth.rootPassword={SECRET}"], "app --set=auth.rootPassword=***"),
        (
            ["java", f"-Dspring.datasource.password={SECRET}", "Main"],
            "java -Dspring.datasource.password=*** Main",
        ),
        (["env", f"DB_PASSWORD={SECRET}", "app"], "env DB_PASSWORD=*** app"),
        (["env", f"AWS_SECRET_ACCESS_KEY={SECRET}"], "env AWS_SECRET_ACCESS_KEY=***"),
        (["mysql", "-uroot", f"-p{SECRET}", "shop"], "mysql -uroot -p*** shop"),
        (["sudo", "/usr/bin/mysqldump", f"-p{SECRET}"], "sudo /usr/bin/mysqldump -p***"),
        (["sh", "-c", f"mysqldump -p{SECRET} shop | gzip"], "sh -c mysqldump -p*** shop | gzip"),
        (["sh", "-c", f"app --password 'two {SECRET}' -v"], "sh -c app --password *** -v"),
        (["bash", "-c", f"sh -c \"mysql -p'a {SECRET}' shop\""], "bash -c sh -c mysql -p*** shop"),
        (["sshpass", "-p", SECRET, "ssh", "x"], "sshpass -p *** ssh x"),
        (["redis-cli", "-a", SECRET], "redis-cli -a ***"),
        (["curl", "-sSfu", f"bob:{SECRET}", "https://x/"], "curl -sSfu *** https://x/"),
        (["wget", "--user", f"bob:{SECRET}"], "wget --user bob:***"),
        (["wget", f"--user=bob:{SECRET}"], "wget --user=bob:***"),
        (["curl", "-H", f"Authorization: Bearer {SECRET}", "x"], "curl -H Authorization:*** x"),
        (["curl", "-H", "Authorization:", "Bearer", SECRET], "curl -H Authorization:*** *** ***"),
        (["curl", f"http://bob:p@/{SECRET}@h/x"], "curl http://***@h/x"),
        (["git", "clone", f"https://{SECRET}@example.org/x"], "git clone https://***@example.org/x"),
        (["curl", f"https://h/?a=1&token={SECRET}"], "curl https://h/?a=1&token=***"),
        (["app", f'{{"password": "{SECRET}", "port": 1}}'], 'app {"password":***'),
        (["openssl", "rsa", "-passin", f"pass:{SECRET}"], "openssl rsa -passin ***"),
        (["psql", f"host=db password={SECRET} user=x"], "psql host=db password=***"),
        (["app", "Server=db;Uid=x;Pwd=" + SECRET], "app Server=db;Uid=x;Pwd=***"),
        (["app", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3"], "app ***"),
        (["app", "ghp_abcdefghijklmnop"], "app ***"),
        (["app", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"], "app ***"),
    ],
)
def test_secrets_are_hidden(arguments: list[str], shown: str) -> None:
    assert redact(arguments) == shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["/usr/sbin/mysqld", "--user=mysql", "--datadir=/var/lib/mysql"],
        ["postgres: 15/main: app shop 10.0.0.5(51234) idle"],
        [
            "/usr/bin/java",
            "-Xmx512m",
            "-cp",
            "/usr/share/tomcat9/lib/catalina-9.0.70.jar:/opt/x/bootstrap.jar",
        ],
        ["java", "org.apache.catalina.startup.Bootstrap", "start"],
        ["python3", "-m", "gunicorn", "shop.wsgi:application", "--bind", "unix:/run/gunicorn.sock"],
        ["/usr/bin/python3", "/usr/bin/unattended-upgrades-shutdown", "--wait-for-signal"],
        ["kubelet", "--container-runtime-endpoint=unix:///run/containerd/containerd.sock"],
        ["git", "log", "--author", "somebody"],
        ["nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"],
    ],
)
def test_what_is_no_secret_stays_readable(arguments: list[str]) -> None:
    assert redact(arguments) == " ".join(arguments)


def test_nothing_is_nothing() -> None:
    assert redact([]) == ""
    assert redact([""]) == ""


NAMES = st.sampled_from(
    ["password", "PASSWORD", "db-pass", "token", "apiKey", "api_key", "client-secret", "x.y.passwd", "PGPASSWORD",
     "credentials", "auth", "passphrase", "private-key", "key", "cookie"]
)  # fmt: skip
ANYTHING = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
OTHERS = st.lists(st.one_of(st.just("--verbose"), st.just("-x"), ANYTHING), max_size=4)
MARKED = ANYTHING.map(lambda text: f"{text}5ecr3t{text}")
FORMS = [
    ["--NAME", "SECRET"],
    ["-NAME", "SECRET"],
    ["--NAME=SECRET"],
    ["NAME=SECRET"],
    ["-DNAME=SECRET"],
    ["NAME: SECRET"],
    ['{"NAME": "SECRET"}'],
    ["mysql", "-pSECRET"],
    ["sshpass", "-p", "SECRET"],
    ["curl", "-u", "NAME:SECRET"],
]


@given(before=OTHERS, name=NAMES, secret=MARKED, form=st.sampled_from(FORMS), after=OTHERS)
def test_a_named_secret_never_survives(
    before: list[str], name: str, secret: str, form: list[str], after: list[str]
) -> None:
    planted = [word.replace("NAME", name).replace("SECRET", secret) for word in form]
    assert "5ecr3t" not in redact([*before, *planted, *after])


def _drawn(seed: int, size: int) -> bytes:
    return Random(seed).randbytes(size)  # noqa: S311 - to be the same again


@given(
    st.integers(),
    st.integers(32, 60),
    st.sampled_from(
        [bytes.hex, lambda raw: urlsafe_b64encode(raw).decode(), lambda raw: b64encode(raw).decode()]
    ),
    st.sampled_from(["{}", "--x={}", "x {} y", "a:{}", "'{}'"]),
)
def test_what_is_drawn_by_lot_never_survives(
    seed: int, size: int, spell: Callable[[bytes], str], where: str
) -> None:
    secret = spell(_drawn(seed, size))
    shown = redact(["app", where.format(secret)])
    assert HIDDEN in shown
    assert all(secret[start : start + 16] not in shown for start in range(len(secret) - 16))


@given(st.lists(st.text(max_size=200)))
def test_it_takes_anything(arguments: list[str]) -> None:
    redact(arguments)


@pytest.mark.parametrize(
    "part", ["://", "password", "-p", "'", '"', "= ", "a1B", "'\" ", "pass:", "eyJ", "/", "[]"]
)
def test_no_text_makes_it_look_again_and_again(part: str) -> None:
    """A pattern that tried every start against every end would need minutes for this."""
    text = part * (200_000 // len(part))
    assert len(redact([text, text])) <= 4 * len(text)
