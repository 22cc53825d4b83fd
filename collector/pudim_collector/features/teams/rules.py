"""What a team is called, and what an installation cannot be without."""

from __future__ import annotations

from pudim.vocabulary.errors import PudimError

LONGEST_TEAM_NAME = 128


class TeamError(PudimError):
    """This cannot be done in the team."""

    code = "team"
    status = 422


class BadTeamName(TeamError):
    """A team's name has 1 to 128 characters that can be seen."""

    code = "bad_team_name"


class LastTeam(TeamError):
    """An installation keeps at least one team."""

    code = "last_team"
    status = 409


class WrongName(TeamError):
    """To delete the team, type its name as it is written."""

    code = "wrong_name"


def clean_team_name(name: str) -> str:
    """Raises BadTeamName."""
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_TEAM_NAME or not cleaned.isprintable():
        raise BadTeamName
    return cleaned
