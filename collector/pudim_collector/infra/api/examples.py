"""Examples of what is sent and answered: made of the schemas themselves, so that none of them can be out of date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

_MOMENT = "2027-01-01T00:00:00Z"
_ID = "01912d68-783e-7a03-8467-5661c1243ad4"
_BY_NAME: Mapping[str, Any] = {
    "action": "refresh",
    "address": "203.0.113.7",
    "chart": "cpu",
    "email": "ada@example.org",
    "kind": "tcp",
    "metric": "system.cpu.utilization",
    "name": "web-1",
    "networks": ["203.0.113.0/24"],
    "permission": "servers:read",
    "permissions": ["servers:read"],
    "role_name": "viewer",
    "scopes": ["servers:read"],
    "settings": {"host": "db.example.org", "port": 5432},
    "tags": ["env=prod"],
    "unit": "1",
    "url": "https://example.org",
}
"""What stands in fields of these names, where their type allows it."""
_OTHERS: Mapping[type[inspect.Type], Any] = {
    inspect.AnyType: {},
    inspect.BoolType: True,
    inspect.DateTimeType: _MOMENT,
    inspect.DateType: _MOMENT[:10],
    inspect.DictType: {},
    inspect.UUIDType: _ID,
}


def example_of(shape: Any, *, whole: bool) -> Any:
    """As JSON has it. With `whole` every field is there; else those that must be, and where none must be, the first."""
    return _example(inspect.type_info(shape), whole=whole)


def _example(kind: inspect.Type, *, whole: bool, name: str = "") -> Any:
    match kind:
        case inspect.StructType():
            return {one.encode_name: _field(one, whole=whole) for one in _shown(kind.fields, whole=whole)}
        case inspect.UnionType():
            given = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
            return _example(given[0], whole=whole, name=name)
        case inspect.Metadata():
            return _example(kind.type, whole=whole, name=name)
        case inspect.ListType() | inspect.CollectionType() | inspect.VarTupleType():
            return [_example(kind.item_type, whole=whole, name=name)]
        case inspect.TupleType():
            return [_example(one, whole=whole) for one in kind.item_types]
        case _:
            return _plain(kind)


def _shown(fields: tuple[inspect.Field, ...], *, whole: bool) -> tuple[inspect.Field, ...]:
    return fields if whole else (tuple(one for one in fields if one.required) or fields[:1])


def _field(field: inspect.Field, *, whole: bool) -> Any:
    known = _BY_NAME.get(field.encode_name, msgspec.UNSET)
    if known is not msgspec.UNSET and _fits(known, field.type):
        return known
    return _example(field.type, whole=whole)


def _fits(value: Any, kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.Metadata):
        return _fits(value, kind.type)
    if isinstance(kind, inspect.UnionType):
        return any(_fits(value, one) for one in kind.types)
    if isinstance(kind, inspect.ListType):
        return isinstance(value, list) and all(_fits(one, kind.item_type) for one in value)
    if isinstance(kind, inspect.DictType):
        return isinstance(value, dict) and isinstance(kind.value_type, inspect.AnyType)
    return isinstance(kind, inspect.StrType) and isinstance(value, str)


def _plain(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        least = max(kind.ge or 0, 1)
        return least if kind.le is None else min(least, kind.le)
    if isinstance(kind, inspect.StrType):
        return "example".ljust(kind.min_length or 0, "x")
    if isinstance(kind, inspect.EnumType):
        return next(iter(kind.cls)).value
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    return _OTHERS.get(type(kind))
