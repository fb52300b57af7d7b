"""How values travel: instants come back in UTC, whatever the session or server thinks of time."""

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

import psycopg.postgres
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.pq import Format
from psycopg.types.array import register_all_arrays

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECONDS: Final = Struct("!q")
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class InstantLoader(Loader):
    """
    The binary form of a timestamptz: microseconds since the year 2000.

    What no instant of ours has (a damaged row, an infinity) becomes the first or the
    last there is: it is told apart where its run is read, and must not stop a list.
    """

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        """The instant, in UTC."""
        (stored,) = _MICROSECONDS.unpack(data)
        try:
            return _EPOCH + timedelta(microseconds=stored)
        except OverflowError:
            return _LAST if stored > 0 else _FIRST


def _adapters() -> AdaptersMap:
    # Not a copy of `psycopg.adapters`: hosts register there what they want of their own rows.
    adapters = AdaptersMap(types=psycopg.postgres.types)
    psycopg.postgres.register_default_adapters(adapters)
    register_all_arrays(adapters)
    adapters.register_loader("timestamptz", InstantLoader)
    return adapters


#: What our connections take their adapters from.
ADAPTERS: Final = _adapters()
