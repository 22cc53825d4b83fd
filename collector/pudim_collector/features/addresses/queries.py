"""All reads and writes of lists of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pudim_collector.features.addresses.tables import AddressList
from pudim_collector.kernel.ids import new_id


async def all_lists() -> dict[UUID, list[str]]:
    """By the token's id, or by the team's for its own."""
    rows = await AddressList.select(AddressList.team_id, AddressList.token_id, AddressList.networks)
    return {row["token_id"] or row["team_id"]: row["networks"] for row in rows}


async def list_of(team_id: UUID, token_id: UUID | None, *, lock: bool = False) -> list[str]:
    wanted = AddressList.select(AddressList.networks).where(
        AddressList.team_id == team_id,
        AddressList.token_id.is_null() if token_id is None else AddressList.token_id == token_id,
    )
    row = await (wanted.lock_rows("UPDATE") if lock else wanted).first()
    return row["networks"] if row else []


async def replace_list(
    team_id: UUID, token_id: UUID | None, networks: Sequence[str], changed_at: datetime
) -> None:
    """None at all for an empty one."""
    await AddressList.delete().where(
        AddressList.team_id == team_id,
        AddressList.token_id.is_null() if token_id is None else AddressList.token_id == token_id,
    )
    if networks:
        made = AddressList(
            id=new_id(), team_id=team_id, token_id=token_id, networks=list(networks), changed_at=changed_at
        )
        await AddressList.insert(made)
