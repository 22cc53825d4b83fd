"""Which passwords are refused because they are known or can be thought of, and that the check ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.accounts import rules
from pudim_collector.features.accounts.rules import PasswordRefusedError, check_password

ADA = ("Ada Lovelace-King", "ada.lovelace@analytical.example", "ada.lovelace")
TOP_3000 = 3000
"""ASVS 6.2.4: so many, of those that are long enough."""


def test_the_passwords_of_breaches_are_known() -> None:
    usable = [word for word in rules._COMMON if len(word) >= rules.SHORTEST_PASSWORD]
    assert len(usable) > TOP_3000
    assert len(usable) == len(rules._COMMON), "what is too short anyway only takes room"
    assert all(word == word.casefold() for word in usable), "it would never be found"


@pytest.mark.parametrize("password", ["baseball", "Michelle", "CORVETTE", "trustno1", "letmein1", "charlie1"])
def test_one_of_them_is_refused_in_any_case(password: str) -> None:
    with pytest.raises(PasswordRefusedError, match="first that are guessed"):
        check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        *("pudim2026", "Pudim-Server!", "monitoring1", "adminpudim", "ADA_LOVELACE_1815", "lovelace.king", "1815ada!1852"),
        *("analytical99", "senha.senha.1", "collector_agent", "root.user.admin"),
    ],
)  # fmt: skip
def test_what_is_made_of_words_about_the_place_or_the_person_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefusedError):
        check_password(password, personal=ADA)


@pytest.mark.parametrize(
    "password", ["pudim with raisins", "lovelace counts sheep", "12 servers, no cat", "ada+eve+bob"]
)
def test_a_sentence_may_have_such_words(password: str) -> None:
    check_password(password, personal=ADA)


@given(st.text(max_size=128))
def test_no_name_refuses_a_sentence(name: str) -> None:
    check_password("three cats on 7 mats, x", personal=(name,))


def test_a_name_that_fits_itself_in_many_ways_holds_up_nobody() -> None:
    name = " ".join("a" * length for length in range(3, 14))
    check_password("a" * 1000 + "b" + "c", personal=(name,))
