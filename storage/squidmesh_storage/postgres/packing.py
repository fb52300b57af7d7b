"""
Bodies of appends, packed: the words that all of them share are said once, in a dictionary.

A step is an append of 900 bytes, most of it names of fields, and PostgreSQL compresses no
row under 2 kB.  Deflate with a dictionary of those names leaves 300 of them.

A packed body begins with the number of its dictionary.  A dictionary is never changed:
what was packed with it is read with it for ever.  A new one gets a new number, and
comes with a migration that contracts: older processes cannot read what it packs.
"""

import zlib
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Final

#: The dictionary that bodies are packed with.
_NUMBER: Final = 1
#: By number; the rarest words stand first: the nearer to the end, the cheaper.
_WORDS: Final = {
    number: files("squidmesh_storage.postgres").joinpath(f"bodies.{number}.txt").read_bytes()
    for number in (_NUMBER,)
}
#: Bytes of a body beyond which the server compresses it by itself; and what a packed one
#: may come to, whatever it claims.
MOST: Final = 1 << 20
#: The largest window, and neither header nor checksum: each body has a hash already.
_WINDOW: Final = -15
#: Bytes up to which a body is packed by a copy of a compressor that has read the words.
_SMALL: Final = 4096
#: Such a one sees the words and as much again, and keeps less to be copied.
_SMALL_WINDOW: Final = -13
_SMALL_MEMORY: Final = 6
#: What stands for the part of an instant below the second: no UTF-8, so nothing in a body.
_ANY: Final = b"\xff" * len(".000000+00:00")


def pack(body: str, at: datetime) -> bytes:
    """
    A body, packed; nothing if it is kept as it is.

    Args:
        body: Canonical JSON text.
        at: The instant of its append, which most of its entries repeat.
    """
    plain = body.encode()
    if len(plain) > MOST:
        return b""
    if len(plain) > _SMALL:
        deflate = zlib.compressobj(wbits=_WINDOW, zdict=_dictionary(_NUMBER, at))
    else:
        deflate = _ready(_NUMBER, _instant(at)[: -len(_ANY)]).copy()
    packed = bytes((_NUMBER,)) + deflate.compress(plain) + deflate.flush()
    return packed if len(packed) < len(plain) else b""


def unpack(packed: bytes, at: datetime) -> str:
    """The body; of bytes that nothing was packed to, a text that fits no hash."""
    try:
        inflate = zlib.decompressobj(_WINDOW, zdict=_dictionary(packed[0], at))
        plain = inflate.decompress(packed[1:], MOST)
        if inflate.eof and not inflate.unused_data:
            return plain.decode()
    except (KeyError, ValueError, zlib.error):
        pass  # a damaged row is told of where its chain is checked, like any other
    return packed.hex()


@lru_cache(maxsize=2)
def _ready(number: int, second: bytes) -> "zlib._Compress":
    """A compressor that has read what the dictionaries of a second have in common."""
    words = _WORDS[number] + second + _ANY
    return zlib.compressobj(wbits=_SMALL_WINDOW, memLevel=_SMALL_MEMORY, zdict=words)


def _dictionary(number: int, at: datetime) -> bytes:
    return _WORDS[number] + _instant(at)


def _instant(at: datetime) -> bytes:
    # Part of the form, like the words: it may not be written otherwise, ever.
    return at.astimezone(UTC).isoformat(timespec="microseconds").encode()
