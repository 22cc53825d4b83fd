"""Passkeys at the HTTP edge: what a browser's authenticator answers, bounded before it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct, to_builtins

from pudim_collector.features.passkeys.queries import PasskeyRecord

Encoded = Annotated[str, Meta(max_length=16_384)]
Short = Annotated[str, Meta(max_length=2_048)]


class RegisteredPasskey(Struct):
    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, record: PasskeyRecord) -> RegisteredPasskey:
        return cls(record.id, record.name, record.created_at, record.last_used_at)


class RegisteredPasskeyPage(Struct):
    items: list[RegisteredPasskey]
    next_cursor: str | None = None


class RegistrationAnswer(
    Struct, rename={"client_data": "clientDataJSON", "attestation": "attestationObject"}
):
    client_data: Encoded
    attestation: Encoded


class NewPasskey(Struct, rename={"raw_id": "rawId"}):
    """What the browser says of a passkey that it has just made."""

    id: Short
    raw_id: Short
    response: RegistrationAnswer
    name: Short = ""
    type: str = "public-key"


class AssertionAnswer(
    Struct,
    rename={
        "client_data": "clientDataJSON",
        "authenticator_data": "authenticatorData",
        "user_handle": "userHandle",
    },
):
    client_data: Encoded
    authenticator_data: Encoded
    signature: Encoded
    user_handle: Short | None = None


class PasskeyAnswer(Struct, rename={"raw_id": "rawId"}):
    """What the browser answers with a passkey to a challenge; `next` is where its person wanted to go."""

    id: Short
    raw_id: Short
    response: AssertionAnswer
    type: str = "public-key"
    next: Short = ""


class Entered(Struct):
    """Where to go on."""

    location: str


def credential_of(answer: NewPasskey | PasskeyAnswer) -> dict[str, Any]:
    """As the browser's own JSON has it."""
    read: dict[str, Any] = to_builtins(answer)
    return {name: read[name] for name in ("id", "rawId", "response", "type")}
