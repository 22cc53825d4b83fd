"""What each role may, pinned by name: a permission that slips into a role is seen here."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.app.features import PERMISSIONS
from pudim_collector.features.members.rules import is_target
from pudim_collector.features.roles import rules
from pudim_collector.infra.permissions import AREAS, BUILT_IN, Permission, Rights, Role

RIGHTS = Rights(PERMISSIONS)


def test_each_role_may_what_the_next_one_may_and_more() -> None:
    sets = [RIGHTS.of(role) for role in BUILT_IN]
    assert all(higher > lower for higher, lower in pairwise(sets))


def test_each_permission_stands_in_an_area_with_words() -> None:
    assert {name.partition(":")[0] for name in PERMISSIONS} == set(AREAS)


def test_a_viewer_changes_nothing_of_the_teams() -> None:
    beyond = RIGHTS.of(Role.VIEWER) - RIGHTS.of(Role.GUEST)
    assert {name for name in beyond if not name.endswith(":read")} == {"tokens:own"}
    assert {"servers:read", "checks:read", "commands:read", "team:read"} <= beyond


def test_a_developer_works_on_servers_and_touches_no_keys_or_people() -> None:
    may = RIGHTS.of(Role.DEVELOPER)
    assert {"commands:run", "checks:write"} <= may
    for name in ("tokens:manage", "senders:write", "servers:enrol", "servers:revoke"):
        assert name not in may
    assert not [name for name in may if name.startswith(("members:", "roles:", "owners:", "installation:"))]


def test_an_admin_may_all_but_end_the_team_and_make_owners() -> None:
    missing = RIGHTS.of(Role.OWNER) - RIGHTS.of(Role.ADMIN)
    assert missing == {"team:delete", "owners:manage"}


def test_no_role_looks_after_the_installation() -> None:
    assert RIGHTS.operators == {name for name in PERMISSIONS if name.startswith("installation:")}
    assert not RIGHTS.operators & RIGHTS.of(Role.OWNER)
    assert not RIGHTS.operators & RIGHTS.of(Role.OWN, list(RIGHTS.operators))


def test_words_alone_are_for_admins_of_a_team() -> None:
    rights = Rights({"a:b": "Words", "c:d": Permission("Words", Role.VIEWER, on_server=True)})
    assert rights.of(Role.ADMIN) == {"a:b", "c:d"}
    assert rights.of(Role.DEVELOPER) == {"c:d"} == rights.on_servers


@pytest.mark.parametrize("role", ["", "root", "Owner", "installation"])
def test_a_role_that_nobody_knows_allows_nothing(role: str) -> None:
    assert RIGHTS.of(role) == frozenset()


NAMES = st.frozensets(st.sampled_from(sorted(RIGHTS.grantable)))


@given(NAMES, NAMES, NAMES)
def test_nobody_gives_or_takes_beyond_what_he_has(
    held: frozenset[str], given_: frozenset[str], taken: frozenset[str]
) -> None:
    missing = (given_ | taken) - held
    if not missing:
        rules.check_may_give(held, given_, taken)
        return
    with pytest.raises(rules.NotYoursToGive) as refusal:
        rules.check_may_give(held, given_, taken)
    assert all(name in refusal.value.detail for name in missing)


@given(st.frozensets(st.text(max_size=20) | st.sampled_from(sorted(PERMISSIONS))))
def test_an_own_role_allows_only_what_is_declared(names: frozenset[str]) -> None:
    assert RIGHTS.of(Role.OWN, names) <= (names & frozenset(PERMISSIONS)) | RIGHTS.of(Role.GUEST)


@pytest.mark.parametrize("name", ["", " ", "owner", "Admin", "x" * 65, "a\x00b", "a\nb"])
def test_names_of_roles_that_are_none(name: str) -> None:
    with pytest.raises(rules.BadRoleName):
        rules.clean_role_name(name, BUILT_IN)


@pytest.mark.parametrize(
    ("target", "fits"),
    [
        (("u", None, "s", None), True),
        ((None, "t", None, "web"), True),
        (("u", "t", "s", None), False),
        ((None, None, "s", None), False),
        (("u", None, "s", "web"), False),
        (("u", None, None, None), False),
        (("u", None, None, ""), False),
        (("u", None, None, "a\x00"), False),
    ],
)
def test_a_grant_says_whom_and_where(
    target: tuple[str | None, str | None, str | None, str | None], fits: bool
) -> None:
    assert is_target(*target) is fits
