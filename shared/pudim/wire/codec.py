"""msgpack within bounds: what may be decoded from a peer, even an authenticated one."""

from __future__ import annotations

from typing import Any, TypeGuard

import msgpack

from pudim.wire.refusals import Malformed, Oversize, Refusal, TooDeep

MAX_MESSAGE_BYTES = 1 << 20
MAX_DEPTH = 8
"""Deepest nesting of any message of version 1 is 5 (a declared layout's labels)."""
MAX_ITEMS = 2048
"""The longest list of any message of version 1 (a layout's series). Older msgpack allocates what a header claims."""


def pack(value: Any) -> bytes:
    return bytes(msgpack.packb(value, use_bin_type=True))


def unpack(body: bytes) -> tuple[Any, ...]:
    """Decode one msgpack array into nested tuples. Raises Oversize, TooDeep or Malformed, nothing else."""
    if len(body) > MAX_MESSAGE_BYTES:
        raise Oversize(f"{len(body)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    try:
        value = msgpack.unpackb(
            body,
            use_list=False,
            strict_map_key=True,
            raw=False,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
            max_ext_len=0,
            ext_hook=_no_extension,
        )
    except msgpack.StackError as error:
        raise TooDeep from error
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        # TypeError: an unhashable map key; UnicodeDecodeError is a ValueError.
        raise Malformed("not msgpack") from error
    if not isinstance(value, tuple) or not value:
        raise misshapen(value, "not a message")
    return value


def _no_extension(code: int, _: bytes) -> Any:
    # Decoded, it would be a tuple and could pass for a message.
    raise Malformed(f"msgpack extension {code}")


def misshapen(value: Any, detail: str) -> Refusal:
    """The refusal of a decoded value that does not fit: nested too deep, or merely malformed."""
    return TooDeep() if _deeper(value, MAX_DEPTH) else Malformed(detail)


def bounded(value: Any) -> Any:
    """`value`, which may be packed again. Raises TooDeep."""
    if _deeper(value, MAX_DEPTH):
        raise TooDeep
    return value


def _deeper(value: Any, limit: int) -> bool:
    if isinstance(value, dict):
        return limit == 0 or any(_deeper(item, limit - 1) for item in value.values())
    if isinstance(value, tuple):
        return limit == 0 or any(_deeper(item, limit - 1) for item in value)
    return False


def is_labels(value: Any, most: int, longest: int) -> TypeGuard[dict[str, str]]:
    """Whether `value` is a map of at most `most` texts to texts, each at most `longest` characters."""
    if not isinstance(value, dict) or len(value) > most:
        return False
    return all(is_text(key, longest) and is_text(text, longest) for key, text in value.items())


def is_whole(value: Any, lowest: int, highest: int) -> TypeGuard[int]:
    """Whether `value` is an integer within bounds; true and false are not, although Python's are."""
    return type(value) is int and lowest <= value <= highest


def is_text(value: Any, longest: int) -> TypeGuard[str]:
    """Whether `value` is a text of at most `longest` characters that PostgreSQL can store."""
    return isinstance(value, str) and len(value) <= longest and "\0" not in value
