"""The pages of API tokens: one's own, those of services, making one, and changing, renewing and revoking it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.addresses.service import AddressError, Wish, words
from pudim_collector.features.tokens import rules
from pudim_collector.features.tokens.queries import TokenRecord
from pudim_collector.features.tokens.rules import Kind, Preset, TokenError
from pudim_collector.features.tokens.schemas import ApiToken, TokenForm
from pudim_collector.features.tokens.service import MANAGE, Ends, NewToken, Tokens, WantedToken
from pudim_collector.infra.api.token_scopes import ALWAYS, Narrowing
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.permissions import area_of
from pudim_collector.infra.rate_limits.metering import address_of
from pudim_collector.infra.sudo import person, proven

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
Who = NamedDependency[Principal]
All = NamedDependency[Tokens]
PATH = "/account/tokens"
_SEE_OTHER: Literal[303] = 303
_SHOWN_TAGS = 200


class TokenPages(Controller):
    include_in_schema = False
    path = PATH

    @get(opt=requires("tokens:own"))
    async def all(self, request: Asked, principal: Who, tokens: All) -> Answer:
        return await _list(request, principal, tokens)

    @get("/new", opt=requires("tokens:own"))
    async def new(
        self, request: Asked, principal: Who, tokens: All, kind: FromQuery[str] = Kind.PERSONAL
    ) -> Answer:
        may = Preset.ALL if kind == Kind.PERSONAL else Preset.READ
        return await _form(request, principal, tokens, TokenForm(kind=kind, may=may))

    @post(opt=requires("tokens:own"), guards=[proven], status_code=200)
    async def create(
        self, request: Asked, principal: Who, tokens: All, public_address: NamedDependency[str]
    ) -> Answer:
        form = TokenForm.read(await request.form())
        try:
            made = await tokens.create(principal, _wanted(form, principal, tokens, request))
        except PudimError as refusal:
            return await _form(request, principal, tokens, form, refusal=refusal)
        return await _list(request, principal, tokens, made=made, address=public_address)

    @get("/{token_id:uuid}", opt=requires("tokens:own"))
    async def one(self, request: Asked, principal: Who, tokens: All, token_id: FromPath[UUID]) -> Answer:
        token = await tokens.one(principal, token_id)
        return await _form(request, principal, tokens, _filled(token), token=token)

    @post("/{token_id:uuid}", opt=requires("tokens:own"), guards=[person, proven], status_code=_SEE_OTHER)
    async def change(self, request: Asked, principal: Who, tokens: All, token_id: FromPath[UUID]) -> Answer:
        form = TokenForm.read(await request.form())
        token = await tokens.one(principal, token_id)
        try:
            narrowing = _narrowing(form, principal, tokens, token.kind)
            await tokens.change(principal, token_id, name=form.name, narrowing=narrowing)
            wish = Wish(words(form.addresses), address_of(request.scope), confirmed=bool(form.confirm))
            if list(wish.networks) != list(token.networks or ()):
                await tokens.set_addresses(principal, token_id, wish)
        except PudimError as refusal:
            return await _form(request, principal, tokens, form, token=token, refusal=refusal)
        return Redirect(PATH, status_code=_SEE_OTHER)

    @post("/{token_id:uuid}/renew", opt=requires("tokens:own"), guards=[proven], status_code=200)
    async def renew(
        self,
        request: Asked,
        principal: Who,
        tokens: All,
        token_id: FromPath[UUID],
        public_address: NamedDependency[str],
    ) -> Answer:
        form = TokenForm.read(await request.form())
        try:
            made = await tokens.renew(
                principal, token_id, overlap=_overlap(form.overlap), ends=_ends(form, tokens.clock.now())
            )
        except PudimError as refusal:
            token = await tokens.one(principal, token_id)
            return await _form(request, principal, tokens, _filled(token), token=token, refusal=refusal)
        return await _list(request, principal, tokens, made=made, address=public_address)

    @post("/{token_id:uuid}/revoke", opt=requires("tokens:own"), guards=[proven], status_code=_SEE_OTHER)
    async def revoke(self, principal: Who, tokens: All, token_id: FromPath[UUID]) -> Answer:
        await tokens.revoke(principal, token_id)
        return Redirect(PATH, status_code=_SEE_OTHER)


async def _list(
    request: Asked, principal: Principal, tokens: Tokens, *, made: NewToken | None = None, address: str = ""
) -> Answer:
    declared = {name: one.words for name, one in tokens.rights.declared.items()}
    servers = {str(server_id): name for server_id, name in await tokens.servers(principal)}
    own: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for token in await tokens.all(principal):
        shown = _shown(token, tokens.clock.now(), declared, servers)
        kinds = own if token.made_by == principal.id else others
        (services if token.kind is Kind.SERVICE else kinds).append(shown)
    return render(
        request,
        "tokens/list.html",
        title="API tokens",
        own=own,
        services=services,
        others=others,
        may_manage=principal.may(MANAGE),
        created={"name": made.record.name, "token": made.secret} if made else None,
        address=address,
    )


def _shown(
    token: TokenRecord, now: datetime, declared: dict[str, str], servers: dict[str, str]
) -> dict[str, Any]:
    said: dict[str, Any] = to_builtins(ApiToken.of(token, now))
    return said | {
        "ended": token.expires_at is not None and token.expires_at <= now,
        "allows": None if token.scopes is None else [declared.get(one, one) for one in token.scopes],
        "servers": [servers.get(one, one) for one in said["only_servers"] or ()],
    }


async def _form(
    request: Asked,
    principal: Principal,
    tokens: Tokens,
    form: TokenForm,
    *,
    token: TokenRecord | None = None,
    refusal: PudimError | None = None,
) -> Answer:
    """To make a token, or to change `token`."""
    tags = sorted({tag for found in principal.scope("servers:read").fleet.tags.values() for tag in found})
    return render(
        request,
        "tokens/form.html",
        title=token.name if token else "New token",
        status=refusal.status if refusal else 200,
        token=to_builtins(ApiToken.of(token, tokens.clock.now())) if token else None,
        is_own=token is None or token.kind is Kind.SERVICE or token.made_by == principal.id,
        values=to_builtins(form),
        may_manage=principal.may(MANAGE),
        groups=_groups(principal, tokens, form),
        servers=[{"id": str(one), "name": name} for one, name in await tokens.servers(principal)],
        tags=sorted({*tags[:_SHOWN_TAGS], *form.tags}),
        yours=address_of(request.scope),
        errors=_errors(refusal),
    )


def _groups(principal: Principal, tokens: Tokens, form: TokenForm) -> dict[str, list[dict[str, Any]]]:
    """By area, what who asks may himself somewhere; what is ticked already stays to be seen."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, one in sorted(tokens.rights.declared.items()):
        offered = principal.may_somewhere(name) and name not in ALWAYS
        if form.kind == Kind.SERVICE:
            offered = offered and name in tokens.rights.grantable
        if offered or name in form.scopes:
            said = {"name": name, "allows": one.words, "on_server": one.on_server}
            groups.setdefault(area_of(name), []).append(said)
    return groups


def _filled(token: TokenRecord) -> TokenForm:
    """The form as the token is."""
    return TokenForm(
        name=token.name,
        kind=token.kind,
        may=Preset.ALL if token.scopes is None else Preset.CHOSEN,
        scopes=list(token.scopes or ()),
        reach="some" if token.narrowing.some_servers else "all",
        servers=[str(one) for one in token.only_servers or ()],
        tags=list(token.only_tags or ()),
        addresses="\n".join(token.networks or ()),
    )


def _wanted(form: TokenForm, principal: Principal, tokens: Tokens, request: Asked) -> WantedToken:
    """Raises TokenExpiry and what `_narrowing` raises."""
    kind = Kind.SERVICE if form.kind == Kind.SERVICE else Kind.PERSONAL
    return WantedToken(
        form.name,
        _ends(form, tokens.clock.now()),
        _narrowing(form, principal, tokens, kind),
        kind,
        Wish(words(form.addresses), address_of(request.scope)),
    )


def _narrowing(form: TokenForm, principal: Principal, tokens: Tokens, kind: Kind) -> Narrowing:
    """Raises ScopesNeeded or ServersNeeded where nothing is chosen."""
    scopes = _scopes(form, principal, tokens, kind)
    if form.reach != "some":
        return Narrowing.to(scopes, None, None)
    servers = [one for text in form.servers if (one := _id(text))]
    if not servers and not form.tags:
        raise rules.ServersNeeded
    return Narrowing.to(scopes, servers or None, form.tags or None)


def _scopes(form: TokenForm, principal: Principal, tokens: Tokens, kind: Kind) -> list[str] | None:
    """None is all that a person may at the time; a service's are named in any case."""
    wanted = Preset(form.may) if form.may in set(Preset) else Preset.CHOSEN
    if wanted is Preset.ALL and kind is Kind.PERSONAL:
        return None
    may = [name for name in tokens.rights.grantable if principal.may_somewhere(name)]
    chosen = form.scopes if wanted is Preset.CHOSEN else rules.preset(wanted, may)
    if not chosen:
        raise rules.ScopesNeeded("Choose at least one permission.")
    return chosen


def _ends(form: TokenForm, now: datetime) -> Ends:
    """Raises TokenExpiry."""
    days = form.expires_in_days.strip()
    if not days:
        return Ends(None)
    if not re.fullmatch(r"[0-9]{1,4}", days):
        raise rules.TokenExpiry
    return Ends(now + timedelta(days=int(days)))


def _overlap(hours: str) -> timedelta:
    """Raises OverlapTooLong."""
    if not re.fullmatch(r"[0-9]{1,3}", hours):
        raise rules.OverlapTooLong
    return timedelta(hours=int(hours))


def _id(text: str) -> UUID | None:
    """None for what is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _errors(refusal: PudimError | None) -> dict[str, str]:
    """By the field that has to change, "form" where that is none."""
    if refusal is None:
        return {}
    field = refusal.field if isinstance(refusal, TokenError | AddressError) else "form"
    return {field: f"{refusal.detail} {refusal.hint}".strip()}
