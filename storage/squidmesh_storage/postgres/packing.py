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
    deflate = zlib.compressobj(wbits=_WINDOW, zdict=_dictionary(_NUMBER, at))
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


def _dictionary(number: int, at: datetime) -> bytes:
    # Part of the form, like the words: it may not be written otherwise, ever.
    return _WORDS[number] + at.astimezone(UTC).isoformat(timespec="microseconds").encode()
