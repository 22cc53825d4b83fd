"""Lists of networks: of teams, and of tokens."""

from __future__ import annotations

from piccolo.columns import UUID, Array, Text, Timestamptz
from piccolo.table import Table

from pudim_collector.infra.database import database


class AddressList(Table, tablename="address_lists", db=database):
    """`token_id` is null for the team's own."""

    id = UUID(primary_key=True)
    team_id = UUID()
    token_id = UUID(null=True, default=None)
    networks = Array(base_column=Text())
    changed_at = Timestamptz()
