"""People's own data in the API."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from pudim_collector.features.privacy.rules import (
    BadRetention,
    LastOperator,
    LastOwner,
    NoSuchPerson,
    NoSuchRetention,
    WrongAddress,
)
from pudim_collector.features.privacy.schemas import AccountDeletion, KeptDays, KeptRows, KeptRowsPage
from pudim_collector.features.privacy.service import Privacy
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import person, proven

ZIP = "application/zip"
FILE = {"Content-Disposition": 'attachment; filename="my-pudim-data.zip"'}


class PrivacyApi(Controller):
    path = "/api/v2"
    tags = ("Privacy",)

    @get(
        "/me/data",
        opt=requires("account:secure") | limited(Action.EXPORT) | refuses(NoSuchPerson),
        guards=[person, proven],
        operation_id="export_my_data",
    )
    async def mine(self, principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]) -> Stream:
        """All that is held about who asks, as a ZIP of JSON files."""
        pieces = await privacy.export(await privacy.person(principal.id))
        return Stream(pieces, media_type=ZIP, headers=FILE)

    @post(
        "/me/deletion",
        opt=requires("account:secure") | refuses(NoSuchPerson, WrongAddress, LastOwner, LastOperator),
        guards=[person, proven],
        operation_id="delete_my_account",
        status_code=204,
    )
    async def delete_mine(
        self,
        principal: NamedDependency[Principal],
        privacy: NamedDependency[Privacy],
        data: JSONBody[AccountDeletion],
    ) -> None:
        """Delete the own account at once. What was done with it stays, under a pseudonym."""
        await privacy.delete(await privacy.person(principal.id), data.email)

    @get(
        "/people/{user_id:uuid}/data",
        opt=requires("installation:people") | limited(Action.EXPORT) | refuses(NoSuchPerson),
        guards=[proven],
        operation_id="export_data_of_person",
    )
    async def of_person(self, privacy: NamedDependency[Privacy], user_id: FromPath[UUID]) -> Stream:
        """All that is held about somebody, to answer his request."""
        pieces = await privacy.export(await privacy.person(user_id))
        return Stream(pieces, media_type=ZIP, headers=FILE)

    @post(
        "/people/{user_id:uuid}/deletion",
        opt=requires("installation:people") | refuses(NoSuchPerson, WrongAddress, LastOwner, LastOperator),
        guards=[proven],
        operation_id="delete_account_of_person",
        status_code=204,
    )
    async def delete_person(
        self, privacy: NamedDependency[Privacy], user_id: FromPath[UUID], data: JSONBody[AccountDeletion]
    ) -> None:
        """Delete somebody's account at once, as his request for erasure wants it."""
        await privacy.delete(await privacy.person(user_id), data.email)

    @get("/retention", opt=requires("installation:retention"), operation_id="list_retention")
    async def kept(self, privacy: NamedDependency[Privacy], paging: NamedDependency[Paging]) -> KeptRowsPage:
        """How long each kind of rows is kept, by name; series and the audit log have settings of their own."""
        found = [KeptRows.of(one) for one in await privacy.retentions()]
        shown = paging.cut(found, tuple[str], lambda one: (one.name,))
        return KeptRowsPage(shown, paging.next_cursor)

    @put(
        "/retention/{name:str}",
        opt=requires("installation:retention") | refuses(NoSuchRetention, BadRetention),
        operation_id="set_retention",
    )
    async def keep(
        self, privacy: NamedDependency[Privacy], name: FromPath[str], data: JSONBody[KeptDays]
    ) -> KeptRows:
        """Keep one kind of rows for this many days."""
        return KeptRows.of(await privacy.keep_for(name, data.days))
