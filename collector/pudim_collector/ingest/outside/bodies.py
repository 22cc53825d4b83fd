"""Bodies made plain again, never larger than allowed: compressed ones can grow a thousandfold."""

from __future__ import annotations

import zlib

import cramjam

from pudim_collector.ingest.outside.refusals import BodyTooLarge, Undecodable

_GZIP = 16 + zlib.MAX_WBITS


def gunzip(body: bytes, most: int) -> bytes:
    """The content of one or several gzip members. Raises BodyTooLarge or Undecodable."""
    plain = bytearray()
    rest = body
    while rest:
        member = zlib.decompressobj(_GZIP)
        try:
            plain += member.decompress(rest, most + 1 - len(plain))
        except zlib.error as error:
            raise Undecodable("not gzip") from error
        if len(plain) > most:
            raise BodyTooLarge(f"more than {most} bytes once it is decompressed")
        if not member.eof:
            raise Undecodable("gzip that ends early")
        rest = member.unused_data
    if not body:
        raise Undecodable("gzip that ends early")
    return bytes(plain)


def unsnap(body: bytes, most: int) -> bytes:
    """The content of a snappy block, whose first bytes say how long it is. Raises BodyTooLarge or Undecodable."""
    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > most:
            raise BodyTooLarge(f"{length} bytes once it is decompressed, at most {most} are taken")
        return bytes(cramjam.snappy.decompress_raw(body))
    except (cramjam.DecompressionError, ValueError, OverflowError) as error:
        raise Undecodable("not a snappy block") from error
