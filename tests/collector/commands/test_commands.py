"""From a person's wish to a signed command and back to a report that is kept, whoever forges, repeats or reorders."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pudim.wire import keys
from pudim.wire.commands import MAX_LIFE_MS, Envelope, digest_of, epoch_of, sign_report
from pudim.wire.messages import Result
from pudim_collector.app.command_keys import CommandKeys
from pudim_collector.app.commanding import LocalSigner
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.statements import fetch
from tests.collector.app.site import COLLECTOR_KEY, PAGE, Site, assembled, serving, whole
from tests.collector.commands.conftest import STRANGER, Host
from tests.collector.installing.test_bundle import FILES, bundle, manifest
from tests.shared.wire.test_commands import ENVELOPES


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.02)


async def stored(query: Any, *parameters: object) -> list[Any]:
    async with database.connection() as connection:
        return await fetch(connection, query, parameters)


async def test_asked_signed_done_and_kept(host: Host) -> None:
    asked = await host.ask("tail_log", path="/var/log/syslog", lines=5)
    assert (asked["status"], asked["args"]) == ("waiting", {"path": "/var/log/syslog", "lines": 5})
    envelope = await host.hears()
    assert envelope.args == {"path": "/var/log/syslog", "lines": 5}
    assert (str(envelope.command_id), envelope.agent_id) == (asked["id"], host.led.agent_id)
    assert (envelope.run, envelope.epoch) == (host.run, epoch_of(host.led.key.public_key()))
    assert 0 < envelope.expires - envelope.issued <= MAX_LIFE_MS
    assert (await host.known(asked))["status"] == "sent"
    assert await host.reports(host.report(envelope, output="<b>line</b>\n")) == 1
    known = await host.known(asked)
    assert (known["status"], known["output"], known["code"]) == ("done", "<b>line</b>\n", "")
    listed = await host.site.get(host.path)
    assert [one["id"] for one in listed["items"]] == [asked["id"]]


async def test_a_refusal_of_the_host_is_told(host: Host) -> None:
    asked = await host.ask()
    refused = host.report(await host.hears(), outcome="refused", code="frozen", detail="stopped")
    await host.reports(refused)
    known = await host.known(asked)
    assert (known["status"], known["code"], known["detail"]) == ("refused", "frozen", "stopped")


async def test_an_envelope_that_was_not_read_is_known_by_its_bytes(host: Host) -> None:
    asked = await host.ask()
    about = digest_of((await host.hears()).encode())
    await host.reports(host.report(about=about, outcome="refused", code="unknown_key"))
    assert (await host.known(asked))["code"] == "unknown_key"


async def test_it_waits_for_an_agent_that_is_away(host: Host) -> None:
    await host.led.socket.close()
    asked = await host.ask()
    assert (await host.known(asked))["status"] == "waiting"
    async with host.led:
        host.run = b"r" * 16
        await host.tell()
        envelope = await host.hears()
    assert (str(envelope.command_id), envelope.run) == (asked["id"], b"r" * 16)


async def test_one_that_nobody_took_expires(host: Host) -> None:
    await host.led.socket.close()
    asked = await host.ask()
    host.site.clock.advance(timedelta(minutes=11))
    assert (await host.known(asked))["status"] == "expired"
    host.led.clock_offset = 660_000
    async with host.led:
        await host.tell()
        again = await host.ask()
        assert str((await host.hears()).command_id) == again["id"]


async def test_sent_and_never_answered(host: Host) -> None:
    asked = await host.ask()
    envelope = await host.hears()
    host.site.clock.advance(timedelta(minutes=9))
    known = await host.known(asked)
    assert (known["status"], known["sent_at"] is None) == ("expired", False)
    await host.reports(host.report(envelope))
    assert (await host.known(asked))["status"] == "done", "what is reported late counts all the same"


async def test_numbers_only_ever_grow(host: Host) -> None:
    await host.ask()
    first = await host.hears()
    await host.ask()
    second = await host.hears()
    assert second.sequence > first.sequence
    # As after a restore of yesterday's backup: the table has forgotten.
    await stored("UPDATE command_chains SET sequence = 0")
    host.site.clock.advance(1)
    await host.ask()
    assert (await host.hears()).sequence > second.sequence


async def test_another_process_holds_the_session(host: Host, tmp_path: Path, clock: ManualClock) -> None:
    await host.led.socket.close()
    async with serving(assembled(tmp_path, clock)) as port:
        host.led.port = port
        async with host.led:
            await host.tell()
            await host.ask()
            assert (await host.hears()).action == "refresh"


# Who may ask what


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 400),
        ({"action": ""}, 400),
        ({"action": "x" * 65}, 400),
        ({"action": "rm -rf"}, 422),
        ({"action": "--help"}, 422),
        ({"action": "refresh\n"}, 422),
        ({"action": "refresh", "args": []}, 400),
        ({"action": "refresh", "args": {"a": None}}, 400),
        ({"action": "refresh", "args": {"a": {"b": 1}}}, 400),
        ({"action": "refresh", "args": {"a": "\0"}}, 422),
        ({"action": "refresh", "args": {"a": "\n"}}, 422),
        ({"action": "refresh", "args": {"a b": 1}}, 422),
        ({"action": "refresh", "args": {"a": 2**63}}, 422),
        ({"action": "refresh", "args": {f"a{n}": 1 for n in range(17)}}, 400),
        ({"action": "refresh", "policy": "x"}, 400),
    ],
)
async def test_what_cannot_be_asked(host: Host, said: dict[str, Any], status: int) -> None:
    async with host.site.client() as owner:
        answer = await owner.post(host.path, json=said)
    assert answer.status_code == status, answer.text
    assert (await host.site.get(host.path))["items"] == []


async def test_what_the_host_does_not_allow_is_not_even_sent(host: Host) -> None:
    async def told() -> bool:
        return (
            await host.site.runtime.notices.one(await whole(host.site.runtime), host.led.agent_id, "policy")
            is not None
        )

    await until(told)
    assert (await host.ask("restart_unit", 409, unit="nginx.service"))["code"] == "not_allowed_by_host"


async def test_a_frozen_host_is_not_asked(host: Host) -> None:
    await host.tell(frozen=True)

    async def told() -> bool:
        found = await host.site.runtime.notices.one(
            await whole(host.site.runtime), host.led.agent_id, "policy"
        )
        return found is not None and found.document.frozen

    await until(told)
    assert (await host.ask(status=409))["code"] == "not_allowed_by_host"


async def test_not_too_many_wait(host: Host) -> None:
    await host.led.socket.close()
    for _ in range(8):
        await host.ask()
    assert (await host.ask(status=409))["code"] == "commands_waiting"


async def test_servers_without_an_agent(host: Host) -> None:
    async with host.site.client() as owner:
        answer = await owner.post(f"/api/v2/servers/{STRANGER}/commands", json={"action": "refresh"})
        assert answer.status_code == 404
        assert (await owner.get(f"/api/v2/servers/{STRANGER}/commands")).status_code == 404
        assert (await owner.delete(f"/api/v2/servers/{host.led.agent_id}")).status_code == 204
    assert (await host.ask(status=409))["code"] == "no_agent"


async def test_a_command_is_found_under_its_own_server_only(host: Host) -> None:
    asked = await host.ask()
    other = await host.site.enrol("other")
    await host.site.get(f"/api/v2/servers/{other.agent_id}/commands/{asked['id']}", 404)


# Reports that are not as they should be


async def closed_by(host: Host, report: Any, key: Any = None) -> str:
    body = report.encode()
    await host.led.say(Result(body, sign_report(body, key or host.led.key)).encode())
    return (await host.led.closed())[1]


async def test_a_forged_report(host: Host) -> None:
    asked = await host.ask()
    forged = host.report(await host.hears())
    assert await closed_by(host, forged, keys.generate()) == "bad_signature"
    assert (await host.known(asked))["status"] == "sent"


async def test_a_report_of_another_agent(host: Host) -> None:
    assert await closed_by(host, host.report(agent_id=STRANGER)) == "malformed"


async def test_a_report_of_another_enrolment(host: Host) -> None:
    assert await closed_by(host, host.report(epoch=bytes(16))) == "malformed"


async def test_a_report_on_another_servers_command(host: Host) -> None:
    asked = await host.ask()
    envelope = await host.hears()
    led = await host.site.enrol("other")
    async with led:
        other = Host(host.site, led)
        await other.reports(other.report(envelope, output="not theirs to say"))
    assert (await host.known(asked))["status"] == "sent"


async def test_the_first_word_on_a_command_counts(host: Host) -> None:
    asked = await host.ask()
    envelope = await host.hears()
    await host.reports(host.report(envelope, output="first"))
    await host.reports(host.report(envelope, outcome="failed", code="second"))
    known = await host.known(asked)
    assert (known["status"], known["output"]) == ("done", "first")


async def test_one_that_is_sent_again_is_stored_once(host: Host) -> None:
    envelope = None
    await host.ask()
    envelope = await host.hears()
    report = host.report(envelope)
    assert [await host.reports(report), await host.reports(report)] == [1, 1]
    assert await stored("SELECT sequence, fault FROM command_reports") == [(1, None)]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sequence": 5}, "3 reports before it never came"),
        ({"sequence": 1}, "its number was used before"),
        ({"previous": bytes(32)}, "another one than that which came"),
    ],
)
async def test_a_chain_that_breaks_is_kept_and_shown(host: Host, changed: dict[str, Any], words: str) -> None:
    await host.reports(host.report(outcome="refused", code="bad_signature"))
    broken = replace(host.report(outcome="refused", code="replayed"), **changed)
    await host.reports(broken)
    ((_, fault),) = (await stored("SELECT sequence, fault FROM command_reports ORDER BY id"))[1:]
    assert words in fault
    async with host.site.client(**PAGE) as owner:
        page = (await owner.get(f"/servers/{host.led.agent_id}/commands")).text
    assert words in page
    await host.reports(host.report(outcome="refused", code="replayed"))
    rows = await stored("SELECT fault FROM command_reports ORDER BY id")
    assert rows[-1] == (None,), "it goes on from what came"


async def test_only_so_many_are_kept(host: Host) -> None:
    for _ in range(3):
        await host.reports(host.report(outcome="refused", code="bad_signature"))
    await stored(
        "INSERT INTO command_reports (server_id, sequence, digest, received_at, body, signature)"
        " SELECT $1, n, sha256(n::text::bytea), now(), '', '' FROM generate_series(1, 600) n",
        host.led.agent_id,
    )
    await host.reports(host.report(outcome="refused", code="bad_signature"))
    assert await stored("SELECT count(*) FROM command_reports") == [(500,)]


async def test_what_is_stored_can_be_checked_again(host: Host) -> None:
    """By anybody who has the agent's public key: bytes and signature are kept as they came."""
    await host.reports(host.report(outcome="refused", code="bad_signature"))
    ((body, signature),) = await stored("SELECT body, signature FROM command_reports")
    host.led.key.public_key().verify(bytes(signature), b"pudim-result-v1\0" + bytes(body))


# The page


async def test_the_page_offers_what_the_host_allows(host: Host) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    await host.tell(bounds={"tail_log": {"files": [hostile]}})

    async def told() -> bool:
        found = await host.site.runtime.notices.one(
            await whole(host.site.runtime), host.led.agent_id, "policy"
        )
        return found is not None and bool(found.document.bounds)

    await until(told)
    asked = await host.ask("tail_log", path=hostile)
    await host.reports(host.report(await host.hears(), output=hostile, detail=hostile, code=hostile))
    async with host.site.client(**PAGE) as owner:
        page = (await owner.get(f"/servers/{host.led.agent_id}/commands")).text
    assert hostile not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 4
    assert 'value="refresh"' in page
    assert 'value="restart_unit"' not in page
    assert (await host.known(asked))["output"] == hostile


async def test_a_host_that_only_watches_offers_nothing(host: Host) -> None:
    await host.tell(actions=[], refused="policy_writable", reason="/etc/pudim can be written by others")

    async def told() -> bool:
        found = await host.site.runtime.notices.one(
            await whole(host.site.runtime), host.led.agent_id, "policy"
        )
        return found is not None and found.document.refused is not None

    await until(told)
    async with host.site.client(**PAGE) as owner:
        page = (await owner.get(f"/servers/{host.led.agent_id}/commands")).text
    assert "can be written by others" in page
    assert 'name="action"' not in page


# The key


def test_the_signer_signs_nothing_that_lives_too_long() -> None:
    signer = LocalSigner(CommandKeys.first(keys.generate()), COLLECTOR_KEY)

    envelope = Envelope.decode(ENVELOPES[0])
    for life in (0, -1, MAX_LIFE_MS + 1):
        with pytest.raises(ValueError, match="may not live so long"):
            signer.sign(replace(envelope, expires=envelope.issued + life))
    assert signer.sign(replace(envelope, expires=envelope.issued + MAX_LIFE_MS))


async def test_the_key_is_its_own_and_private(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "command.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() != keys.private_bytes(COLLECTOR_KEY)
    assert assembled(tmp_path, site.clock).commands.mandate() == site.runtime.commands.mandate()


async def test_an_update_without_more_words_means_the_agent_that_is_offered(
    host: Host, tmp_path: Path
) -> None:
    await host.tell(actions=["self_update"])

    async def told() -> bool:
        found = await host.site.runtime.notices.one(
            await whole(host.site.runtime), host.led.agent_id, "policy"
        )
        return found is not None and "self_update" in found.document.actions

    await until(told)
    assert (await host.ask("self_update", 409))["code"] == "nothing_newer"
    releases = host.site.runtime.releases
    releases.add(bundle(tmp_path / "whole.tar", manifest(FILES), list(FILES.values())))
    await host.ask("self_update")
    digest, signature = releases.names()
    assert (await host.hears()).args == {"version": "0.1.0", "manifest": digest, "signature": signature}
