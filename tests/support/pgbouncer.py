"""PgBouncer of Debian's package, in transaction mode, otherwise as it comes."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

from support.postgres import free_port, missing, private_folder, start_unprivileged

#: Debian keeps it where only root's path looks.
_PATH: Final = "/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin"
#: Two server connections, and young ones, so that each transaction may meet another.
_CONFIGURATION: Final = """
[databases]
* = {target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
max_client_conn = 500
server_lifetime = 1
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


@contextmanager
def pgbouncer(server_url: str) -> Iterator[str]:
    """The URL of a PgBouncer before a server; it ends with the block."""
    program = shutil.which("pgbouncer", path=_PATH)
    if program is None:
        missing("pgbouncer is not installed, so nothing was tested behind it")
    folder, listen = private_folder(), free_port()
    server = urlsplit(server_url)
    user = server.username or "postgres"
    (folder / "pgbouncer.ini").write_text(
        _CONFIGURATION.format(target=_target(server_url), folder=folder, listen=listen)
    )
    (folder / "users").write_text(f'"{user}" "{server.password or ""}"\n')
    process = start_unprivileged(folder, program, folder / "pgbouncer.ini")
    try:
        _await(listen)
        yield f"postgresql://{user}@127.0.0.1:{listen}{server.path}?sslmode=disable"
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder)


def _target(server_url: str) -> str:
    """Where it finds the server, in its own words."""
    server = urlsplit(server_url)
    asked = {name: values[0] for name, values in parse_qs(server.query).items()}
    host = asked.get("host", server.hostname or "127.0.0.1")
    return f"host={host} port={asked.get('port', server.port or 5432)}"


def _await(port: int) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            continue
        return
    raise TimeoutError(f"nobody listens on port {port}")
