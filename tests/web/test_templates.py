"""Templates render with nothing undefined, keep the page's policy, and never call the unknown fine."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from pudim_web import TEMPLATES
from tests.web.sample_hosts import host
from tests.web.sample_pages import HOSTILE, SAMPLES, Sample, environment, server, server_page

TEMPLATE_NAMES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
VOID = {"meta", "link", "input", "img", "br", "path", "rect", "circle"}


class Elements(HTMLParser):
    """Every start tag of a page, and the tags that were not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(params=list(SAMPLES.values()), ids=list(SAMPLES))
def sample(request: pytest.FixtureRequest) -> Sample:
    chosen: Sample = request.param
    return chosen


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_it_parses(name: str) -> None:
    environment().get_template(name)


def test_every_page_has_a_sample() -> None:
    parts = {name for name in TEMPLATE_NAMES if name.rpartition("/")[2].startswith("_")}
    pages = {name for name in TEMPLATE_NAMES if "/" in name} - parts | {"error.html"}
    assert {sample.template for sample in SAMPLES.values()} == pages


def test_it_is_well_formed(sample: Sample) -> None:
    elements = Elements(sample.render())
    assert elements.crossed == []
    assert elements.open == []


def test_it_obeys_the_policy(sample: Sample) -> None:
    elements = Elements(sample.render())
    for tag, attributes in elements.tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "action", "hx-post"):
            assert re.match(r"[/?#]|$", attributes.get(name) or ""), (tag, attributes)
            assert not (attributes.get(name) or "").startswith("//"), (tag, attributes)
    assert all(script.get("src") for script in elements.named("script"))
    assert not elements.named("style")


def test_what_a_host_or_person_says_is_never_markup(sample: Sample) -> None:
    assert HOSTILE not in sample.render()


def test_every_form_carries_the_token(sample: Sample) -> None:
    text = sample.render()
    # One that only asks must not put the token into an address.
    forms = re.findall(r'<form(?![^>]*method="get").*?</form>', text, re.DOTALL)
    assert all('name="csrf_token" value="csrf-1"' in form for form in forms)
    assert all('method="post"' in form for form in forms)


def test_ids_are_unique_and_every_reference_is_there(sample: Sample) -> None:
    tags = Elements(sample.render()).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        for name in ("for", "aria-describedby", "popovertarget"):
            assert attributes.get(name) in {None, *ids}, (tag, attributes)


def test_every_control_has_a_name(sample: Sample) -> None:
    text = sample.render()
    for button in re.findall(r"<button.*?</button>", text, re.DOTALL):
        words = re.sub(r"<svg.*?</svg>|<[^>]+>", "", button, flags=re.DOTALL).strip()
        assert words or "aria-label=" in button or "title=" in button, button


def test_the_unknown_is_said_and_never_calm() -> None:
    row = Sample("servers/list.html", {"servers": [server("silent")]}).render()
    assert row.count('data-level="unknown"') == 3
    assert row.count(">unknown<") == 3
    assert "0 %" not in row


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.0, "0 %"), (0.0421, "4.2 %"), (0.04, "4 %"), (0.0996, "10 %"), (0.123, "12 %"), (1.0, "100 %")],
)
def test_percentages_read_as_the_scripts_write_them(fraction: float, words: str) -> None:
    assert f">{words}</span>" in Sample("servers/list.html", {"servers": [server(cpu=fraction)]}).render()


@pytest.mark.parametrize(("fraction", "level"), [(0.74, "calm"), (0.75, "raised"), (0.9, "high")])
def test_levels_are_those_of_the_scripts(fraction: float, level: str) -> None:
    page = Sample("servers/list.html", {"servers": [server(cpu=fraction, memory=0.1, disk=0.1)]}).render()
    assert f'data-figure="cpu" data-level="{level}"' in page


def test_the_server_page_says_uptime_load_and_cores_without_script() -> None:
    text = SAMPLES["server"].render()
    assert "up 11 d 23 h" in text
    assert ">0.97<" in text
    assert "8 cores" in text


def test_a_fresh_token_and_line_can_be_copied() -> None:
    assert '<code id="new-token">pudim_secret</code>' in SAMPLES["tokens"].render()
    assert '<code id="command">sh -c &#39;x&#39;</code>' in SAMPLES["add, with line"].render()


def test_a_fresh_line_is_shown_only_after_asking() -> None:
    assert 'id="command"' not in SAMPLES["add"].render()


def text_of(name: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", SAMPLES[name].render()))


def test_what_was_never_told_is_not_none_and_not_fine() -> None:
    never, nothing = text_of("server, never told"), text_of("server, nothing there")
    assert never.count("Not available on this host.") == 6
    assert "None failed" not in never
    assert "Not available on this host." not in nothing
    assert "There are none, as podman says" in nothing
    assert text_of("server, waiting").count("Not known yet") == 6
    assert "fine" not in SAMPLES["server, never told"].render()


def test_old_words_are_marked_with_their_age() -> None:
    assert text_of("server, old words").count("Old: nobody knows if it is still so.") == 6
    assert "Old:" not in text_of("server")
    assert 'datetime="2026-11-20T08:00:00+00:00"' in SAMPLES["server, old words"].render()


def test_failed_units_come_first_and_are_counted() -> None:
    text = text_of("server")
    assert "1 failed" in text
    assert text.index("backup.service") < text.index("apt-daily.timer")
    assert "the system is degraded" in text


def test_containers_say_what_is_wrong_and_what_is_not_known() -> None:
    (card,) = re.findall(r'id="containers".*?</pudim-host-part>', SAMPLES["server"].render(), re.DOTALL)
    assert re.findall(r'data-sign="(\w+)"', card) == [
        "bad",
        "fine",
        "fine",
        "idle",
        "unknown",
        "idle",
        "waiting",
    ]
    assert "172 MiB" in card
    assert "of 1.0 GiB" in card


def test_a_process_stands_once_though_it_is_in_both_lists() -> None:
    (card,) = re.findall(r'id="processes".*?</pudim-host-part>', SAMPLES["server"].render(), re.DOTALL)
    assert re.findall(r'tr data-key="(\d+)"', card) == ["812", "9", "77"]
    assert "142 %" in card


def test_what_hosts_say_is_kept_apart_from_the_words_around_it() -> None:
    """Text that turns the direction of writing, as a browser isolates it."""
    turned = "\u202egnp.exe"
    page = server_page(host(turned)).render()
    shown = re.sub(r"<bdi[^>]*>[^<]*</bdi>|<code>[^<]*</code>|\"[^\"]*\"", "", page)
    assert turned in page
    assert turned not in shown


def test_every_known_chart_is_offered_only_where_its_metric_is() -> None:
    page = SAMPLES["server"].render()
    assert 'heading="Temperatures"' in page
    assert 'heading="zoo"' in page
    assert 'heading="Fans"' not in page
    assert 'heading="GPU"' not in page


def test_what_needs_somebody_in_the_list() -> None:
    row = Sample("servers/list.html", {"servers": [server()]}).render()
    assert "1 container bad</a>" in row
    assert "2 units failed (old)</a>" in row
    assert (
        "disk" not in re.sub(r"data-\w+|<[^>]+>", "", row).lower().replace("disk</th>", "")
        or "failing" not in row
    )


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1_000, "1000 B"),
        (1_024, "1.0 KiB"),
        (1 << 30, "1.0 GiB"),
        (2**53, "8.0 PiB"),
        (None, "unknown"),
    ],
)
def test_bytes_in_words(count: int | None, words: str) -> None:
    template = environment().from_string(
        '{% import "notices/_words.html" as w with context %}{{ w.bytes(count) }}'
    )
    assert template.render(count=count, page={}, server={}).strip() == words
