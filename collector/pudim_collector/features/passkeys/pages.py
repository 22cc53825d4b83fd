"""What the script of the pages asks for passkeys: options for the browser, and what its authenticator answered.

Where somebody gets in, the answer is where to go on, with the cookies. Removing one is a form of the page of factors.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from litestar import Controller, Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from pudim_collector.features.passkeys.schemas import Entered, NewPasskey, PasskeyAnswer, credential_of
from pudim_collector.features.passkeys.service import Passkeys, Purpose
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.infra.auditing import untold
from pudim_collector.infra.auth import ENROL_PATH, Principal, public, requires, safe_local_path
from pudim_collector.infra.entering import HALF, Entry, brought, give, visitor_of
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import PROVE_PATH, person, proven

Asked: TypeAlias = Request[Any, Any, State]
_OWN = "/account/passkeys"
_SIGN_IN = "/sign-in/passkey"
_FACTOR = "/sign-in/factor/passkey"
_PROVE = f"{PROVE_PATH}/passkey"
_AFTER = "/account/factors"
_CHALLENGE = untold("a challenge changes nothing")
_TO_SIGN_IN = public("to sign in") | limited(Action.SIGN_IN)
_ADDING = requires("account:secure", enrolling=True)
_BY_HALF = public("half a session is shown by its cookie") | limited(Action.SIGN_IN)


class PasskeyPages(Controller):
    include_in_schema = False

    @post(f"{_SIGN_IN}/options", opt=_TO_SIGN_IN, status_code=200)
    async def sign_in_options(self, passkeys: NamedDependency[Passkeys]) -> dict[str, Any]:
        return await passkeys.asking(Purpose.SIGN_IN)

    @post(_SIGN_IN, opt=_TO_SIGN_IN, status_code=200)
    async def sign_in(
        self, request: Asked, passkeys: NamedDependency[Passkeys], data: JSONBody[PasskeyAnswer]
    ) -> Response[Entered]:
        entry = await passkeys.sign_in(credential_of(data), visitor_of(request))
        return _entered(request, entry, safe_local_path(data.next))

    @post(f"{_FACTOR}/options", opt=_BY_HALF, status_code=200)
    async def factor_options(self, request: Asked, passkeys: NamedDependency[Passkeys]) -> dict[str, Any]:
        return await passkeys.asking_half(brought(request, HALF))

    @post(_FACTOR, opt=_BY_HALF, status_code=200)
    async def factor(
        self, request: Asked, passkeys: NamedDependency[Passkeys], data: JSONBody[PasskeyAnswer]
    ) -> Response[Entered]:
        entry = await passkeys.enter(brought(request, HALF), credential_of(data), visitor_of(request))
        return _entered(request, entry, entry.path)

    @post(
        f"{_PROVE}/options",
        opt=requires("account:secure", enrolling=True) | _CHALLENGE,
        guards=[person],
        status_code=200,
    )
    async def proof_options(
        self, principal: NamedDependency[Principal], passkeys: NamedDependency[Passkeys]
    ) -> dict[str, Any]:
        return await passkeys.asking(Purpose.PROVE, principal.id)

    @post(
        _PROVE,
        opt=requires("account:secure", enrolling=True) | limited(Action.SIGN_IN),
        guards=[person],
        status_code=200,
    )
    async def prove(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        passkeys: NamedDependency[Passkeys],
        data: JSONBody[PasskeyAnswer],
    ) -> Response[Entered]:
        entry = await passkeys.prove(principal, credential_of(data), visitor_of(request))
        return _entered(request, entry, safe_local_path(data.next, _AFTER))

    @post(f"{_OWN}/options", opt=_ADDING | _CHALLENGE, guards=[person, proven], status_code=200)
    async def registration_options(
        self,
        principal: NamedDependency[Principal],
        passkeys: NamedDependency[Passkeys],
        sessions: NamedDependency[Sessions],
    ) -> dict[str, Any]:
        return await passkeys.registering(await sessions.person(principal))

    @post(_OWN, opt=_ADDING, guards=[person, proven], status_code=200)
    async def register(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        passkeys: NamedDependency[Passkeys],
        sessions: NamedDependency[Sessions],
        data: JSONBody[NewPasskey],
    ) -> Response[Entered]:
        await passkeys.register(principal.id, credential_of(data), data.name, visitor_of(request))
        path = ENROL_PATH if principal.lacks_factor else _AFTER
        return _entered(request, await sessions.renew(principal), path)


def _entered(request: Asked, entry: Entry, path: str) -> Response[Entered]:
    answer = Response(Entered(path))
    give(request, answer, entry)
    return answer
