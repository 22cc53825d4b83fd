"""Fields for secrets on pages, and the way out that each page of somebody signed in has."""

from __future__ import annotations

import re

from tests.web.sample_pages import SAMPLES
from tests.web.test_templates import Elements

MANAGED = {"current-password", "new-password"}
CODES = {"one-time-code"}


def fields() -> list[tuple[str, dict[str, str | None]]]:
    found = [
        (name, field)
        for name, sample in SAMPLES.items()
        for field in Elements(sample.render()).named("input")
    ]
    return [
        (name, one) for name, one in found if re.search(r"password|secret|current", one.get("name") or "")
    ]


def test_fields_for_secrets_hide_them_and_let_managers_help() -> None:
    assert len(fields()) >= 6
    for sample, field in fields():
        assert field["type"] in {"password", "hidden"}, (sample, field)
        if field["type"] == "password":
            assert field.get("autocomplete") in MANAGED, (sample, field)
            assert "maxlength" not in field, (sample, field)
            assert "readonly" not in field, (sample, field)


def test_nothing_keeps_anybody_from_pasting() -> None:
    for name, sample in SAMPLES.items():
        assert not re.search(r"onpaste|oncopy|autocomplete=\"off\"[^>]*type=\"password\"", sample.render()), (
            name
        )


def test_each_page_of_somebody_signed_in_lets_him_sign_out() -> None:
    """Those that only a link or half a session leads to, and the one that asks for a proof, have another frame."""
    pages = {name: text for name, one in SAMPLES.items() if 'class="bare"' not in (text := one.render())}
    whole = {name: text for name, text in pages.items() if "<!doctype html>" in text.lower()}
    assert len(whole) > 20
    for name, text in whole.items():
        forms = Elements(text).named("form")
        assert [one for one in forms if (one.get("action"), one.get("method")) == ("/sign-out", "post")], name
