"""Lists of addresses at the HTTP edge."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pudim_collector.features.addresses.rules import MOST_NETWORKS

NetworkText = Annotated[str, Meta(max_length=64, description="An address or a network, IPv4 or IPv6.")]


class AllowedAddresses(Struct):
    """From where something may be used; an empty list means from everywhere. `yours` is where this request comes from."""

    networks: list[str]
    yours: str | None


class WantedAddresses(Struct, forbid_unknown_fields=True):
    """`confirm` that the list may leave out the address that this request comes from."""

    networks: Annotated[list[NetworkText], Meta(max_length=MOST_NETWORKS)]
    confirm: bool = False


class AddressForm(Struct):
    networks: str = ""
    confirm: str = ""
