"""Storage in the API."""

from __future__ import annotations

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from pudim_collector.features.storage.rules import BadLimit
from pudim_collector.features.storage.schemas import StorageLimits, StorageLoss, StorageStatus
from pudim_collector.features.storage.service import Storage
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auditing import untold
from pudim_collector.infra.auth import Principal, requires


class StorageApi(Controller):
    path = "/api/v2/storage"
    tags = ("Storage",)

    @get(opt=requires("installation:read"), operation_id="get_storage")
    async def status(
        self, storage: NamedDependency[Storage], entity: NamedDependency[Entity]
    ) -> StorageStatus:
        """What the store holds, how it grows, and where that ends."""
        entity.version = await storage.version()
        return StorageStatus.of(await storage.view())

    @post(
        "/preview",
        opt=requires("installation:write") | untold("it only says what would be dropped") | refuses(BadLimit),
        operation_id="preview_storage_limits",
        status_code=200,
    )
    async def preview(
        self, storage: NamedDependency[Storage], data: JSONBody[StorageLimits]
    ) -> list[StorageLoss]:
        """What these limits would drop now. Nothing is changed."""
        return [StorageLoss.of(loss) for loss in await storage.preview(data.plain())]

    @put("/limits", opt=requires("installation:write") | refuses(BadLimit), operation_id="set_storage_limits")
    async def change(
        self,
        storage: NamedDependency[Storage],
        principal: NamedDependency[Principal],
        entity: NamedDependency[Entity],
        data: JSONBody[StorageLimits],
    ) -> StorageLimits:
        """Keep to these limits. What is beyond them is dropped within minutes, for good."""
        async with entity.unchanged(lambda: storage.version(lock=True)):
            await storage.change(data.plain(), f"{principal.kind} {principal.name}")
        entity.version = await storage.version()
        return data
