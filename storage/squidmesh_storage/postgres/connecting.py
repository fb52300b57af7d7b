"""One connection: where to, with which settings, and whether the server will do."""

import re
import select
from collections.abc import Mapping
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from attrs import Factory, define, field, frozen
from psycopg import AsyncConnection, Connection, adapt
from psycopg.abc import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow

from squidmesh_core.errors import ConfigError
from squidmesh_storage.postgres.adapting import ADAPTERS
from squidmesh_storage.postgres.errors import unfit
from squidmesh_storage.postgres.plans import AFTER, Plans
from squidmesh_storage.postgres.scripts import BEGIN, Call, Script, ask
from squidmesh_storage.postgres.statements import DEFAULT_SCHEMA, Names

#: The oldest server that will do.
OLDEST: Final = 15

#: How libpq looks after the connection itself; whatever the URL says goes before.
_LIBPQ: Final[Mapping[str, str | int]] = {
    "application_name": "squidmesh",
    "client_encoding": "UTF8",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
#: Seconds that a transaction of ours may stand still.
_IDLE_SECONDS: Final = 5
#: What each of our transactions runs under; `synchronous_commit` only if it is off.
_SETTINGS: Final = (
    "set_config('statement_timeout', '10s', {local}), "
    "set_config('lock_timeout', '3s', {local}), "
    f"set_config('idle_in_transaction_session_timeout', '{_IDLE_SECONDS}s', {{local}}), "
    # All that we ask for has an index, whatever is known or not yet known of a table.
    "set_config('enable_seqscan', 'off', {local}), set_config('enable_sort', 'off', {local}), "
    "set_config('jit', 'off', {local}), "
    # Where a server of long ago is imitated, a null in an array would be the text of it.
    "set_config('array_nulls', 'on', {local}), "
    # Which leaves one plan for whatever values: making it anew took longer than the rest
    # of an append.
    "set_config('plan_cache_mode', 'force_generic_plan', {local}), "
    "set_config('default_transaction_isolation', 'read committed', {local}), "
    "set_config('synchronous_commit', case current_setting('synchronous_commit')"
    " when 'off' then 'on' else current_setting('synchronous_commit') end, {local})"
)
_FOR_SESSION: Final = Call("select " + _SETTINGS.format(local="false"))
#: For a session that was somebody else's: nothing that was theirs stays, but for statements
#: that they have prepared by name, since what is prepared for us would go with these.
FOR_NEXT: Final = Call(
    "close all; reset session authorization; reset role; reset all; unlisten *; discard temp; "
    f"discard sequences; select pg_advisory_unlock_all(); {_FOR_SESSION.text}"
)
#: For a connection that is another one's in the next transaction.
FOR_TRANSACTION: Final = Call("select " + _SETTINGS.format(local="true"))
#: A transaction of ours there, in one trip.
OPENED: Final = Call(f"{BEGIN.text}; {FOR_TRANSACTION.text}")
_HELLO: Final = Call(
    "select pg_backend_pid(), pg_is_in_recovery(), "
    "current_setting('server_version_num')::integer / 10000, current_setting('server_encoding')"
)

#: A URL whose password has an @, a slash or a question mark as it is: libpq takes part of it for
#: a host, a database or a port, and so it would be shown.
_SPLIT_PASSWORD: Final = re.compile(
    r"\w+://(?:[^@/?]*[@/][^?]*|[^@/?\[]*:\d*[^@/?\d,][^@/?]*\?.*)@"
)
#: Parameters of a URL that are not for libpq.
_OURS: Final = frozenset({"schema", "prefix"})

AnyConnection = TypeVar("AnyConnection", Connection[TupleRow], AsyncConnection[TupleRow])


@frozen(kw_only=True)
class Target:
    """Where a journal is."""

    #: What libpq gets, password and all.
    conninfo: str = field(repr=False)
    names: Names
    #: As one would open it, without a password.
    url: str

    @classmethod
    def of(cls, dsn: str, schema: str | None = None, prefix: str | None = None) -> "Target":
        """
        A URL or a connection string of libpq; in a URL `schema` and `prefix` are ours.

        Raises:
            ConfigError: It is neither.
        """
        if _SPLIT_PASSWORD.match(dsn):
            raise _unreadable("an @ that is not written as %40")
        dsn, ours = _without_ours(dsn)
        try:
            given = conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            # What libpq says of it would show all of it, in a traceback as well.
            raise _unreadable("libpq cannot read it") from None
        names = Names(
            schema if schema is not None else ours.get("schema", DEFAULT_SCHEMA),
            prefix if prefix is not None else ours.get("prefix", ""),
        )
        conninfo = make_conninfo(
            dsn, **{key: one for key, one in _LIBPQ.items() if key not in given}
        )
        return cls(conninfo=conninfo, names=names, url=_shown(given, names))


@define(eq=False)
class Session(Generic[AnyConnection]):
    """A connection of ours, and what stands between it and the server."""

    connection: AnyConnection
    target: Target
    #: Whether a pooler hands each transaction to whatever server connection is free:
    #: then nothing may rest on the session.
    pooled: bool = False
    plans: Plans = Factory(Plans)
    #: Turns values into what libpq takes, and rows into values.
    adapting: Transformer = field(init=False, repr=False)

    @adapting.default
    def _adapting(self) -> Transformer:
        return adapt.Transformer(self.connection)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, failed or not."""
        return self.connection.pgconn.transaction_status != TransactionStatus.IDLE

    @property
    def lost(self) -> bool:
        """Whether the connection is gone, or stuck in a pipeline, which comes to the same."""
        stuck = self.connection.pgconn.pipeline_status != PipelineStatus.OFF
        return self.connection.closed or stuck

    @property
    def stale(self) -> bool:
        """Whether the server has closed an idle connection: only then is there anything to read."""
        if self.connection.closed:
            return True
        looked = select.poll()
        looked.register(self.connection.fileno(), select.POLLIN)
        return bool(looked.poll(0))


async def connect_async(target: Target) -> AsyncConnection[TupleRow]:
    """A connection for an event loop, with nothing said on it yet."""
    return await AsyncConnection.connect(
        target.conninfo, autocommit=True, prepare_threshold=AFTER, context=ADAPTERS
    )


def connect(target: Target) -> Connection[TupleRow]:
    """A connection with nothing said on it yet."""
    return Connection.connect(
        target.conninfo, autocommit=True, prepare_threshold=AFTER, context=ADAPTERS
    )


def greet(session: Session[AnyConnection]) -> Script[None]:
    """
    Ask the server what it is, and tell it what we want.

    Raises:
        StorageError: It will not do; the text says why.
    """
    ((pid, standby, version, encoding),) = yield from ask(_HELLO)
    place = session.target.url
    if version < OLDEST:
        raise unfit(
            place,
            f"PostgreSQL {version} is too old; {OLDEST} or newer is needed, upgrade the server",
        )
    if standby:
        raise unfit(place, "this server is a standby, which only repeats; connect to the primary")
    if encoding != "UTF8":
        raise unfit(place, f"the database stores {encoding}; create one with encoding UTF8")
    session.pooled = pid != session.connection.info.backend_pid
    if session.pooled:
        session.connection.prepare_threshold = None
    else:
        yield (_FOR_SESSION,)


def _unreadable(reason: str) -> ConfigError:
    return ConfigError(
        "the PostgreSQL URL cannot be read; expected "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters as %XX",
        "unknown_url",
        {"option": "url", "reason": reason},
    )


def _without_ours(dsn: str) -> tuple[str, dict[str, str]]:
    """A URL without the parameters that libpq would not know, and these."""
    base, mark, query = dsn.partition("?")
    if "://" not in base or not mark:
        return dsn, {}
    pairs = parse_qsl(query, keep_blank_values=True)
    ours = {key: value for key, value in pairs if key in _OURS}
    rest = urlencode([pair for pair in pairs if pair[0] not in _OURS], quote_via=quote)
    return (f"{base}?{rest}" if rest else base), ours


def _shown(given: Mapping[str, object], names: Names) -> str:
    """A URL of what was given, but for secrets and what only tunes."""
    user, host, port = (str(given.get(key) or "") for key in ("user", "host", "port"))
    more: dict[str, str] = {}
    if "/" in host or "," in host or "," in port:
        more |= {"host": host} | ({"port": port} if port else {})
        host = port = ""
    if names.schema != DEFAULT_SCHEMA:
        more["schema"] = names.schema
    if names.prefix:
        more["prefix"] = names.prefix
    where = (f"{quote(user)}@" if user else "") + host + (f":{port}" if port else "")
    path = quote(str(given.get("dbname") or ""))
    return f"postgresql://{where}/{path}" + (f"?{urlencode(more)}" if more else "")
