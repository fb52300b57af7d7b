"""
A TCP proxy that reads PostgreSQL's protocol, to cut connections around a COMMIT.

    with Proxy(server.port) as proxy:       then connect to `proxy.port`, unencrypted
        proxy.judge = lambda exchange: "after" if exchange.commits else None

An exchange is what a client sends up to the point where it waits: its statements in
clear text, also those that were prepared long ago.  It commits if it says so, or if
it changes rows outside a transaction.  The judge says what becomes of it:

    before      the server never gets it
    during      the server gets it, and nobody waits for what it says
    after       the server has done it, and the client never hears of that
"""

import asyncio
import re
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Literal, Self

from attrs import define, field, frozen

Cut = Literal["before", "during", "after"]

_CHANGES: Final = re.compile(r"\b(insert|update|delete)\b", re.IGNORECASE)
_COMMIT: Final = re.compile(r"\s*(commit|end)\b", re.IGNORECASE)
_BEGIN: Final = re.compile(r"\s*(begin|start)\b", re.IGNORECASE)
#: Bytes of the length in front of a message; it counts itself.
_LENGTH: Final = 4
#: What the message that begins a session starts with, unlike those before it.
_PROTOCOL: Final = (3).to_bytes(2)


@frozen(kw_only=True)
class Exchange:
    """What a client has sent and waits for."""

    statements: tuple[str, ...]
    #: Whether something is durable once the server has done it.
    commits: bool
    #: How many commits there were on all connections, with this one.
    number: int


Judge = Callable[[Exchange], Cut | None]


@define
class _Session:
    """What one client has told the server so far."""

    prepared: dict[bytes, str] = field(factory=dict)
    portals: dict[bytes, str] = field(factory=dict)
    #: Of the exchange that is being sent.
    statements: list[str] = field(factory=list)
    #: Whether the server is in a transaction.
    within: bool = False
    #: For each exchange that the server has not answered: whether its answer is lost.
    lost: deque[bool] = field(factory=deque)

    def hear(self, kind: bytes, body: bytes) -> None:
        """Take note of a client's message."""
        match kind:
            case b"Q":
                self.statements.append(body.rstrip(b"\0").decode())
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                self.prepared[name] = text.decode()
            case b"B":
                portal, name, _ = body.split(b"\0", 2)
                self.portals[portal] = self.prepared.get(name, "")
            case b"E":
                self.statements.append(self.portals.get(body.split(b"\0", 1)[0], ""))
            case _:
                pass  # descriptions, closings, copied rows: nothing that is a statement

    def commits(self) -> bool:
        """Whether what was said makes something durable."""
        if any(_COMMIT.match(one) for one in self.statements):
            return True
        begun = self.within or any(_BEGIN.match(one) for one in self.statements)
        return not begun and any(_CHANGES.search(one) for one in self.statements)


class Proxy:
    """Stands before a server on 127.0.0.1, on a thread of its own."""

    def __init__(self, upstream: int) -> None:
        self.port = 0
        #: Says what is cut; called on the proxy's thread.
        self.judge: Judge = lambda exchange: None
        #: Seconds that every answer of the server takes on its way.
        self.delay = 0.0
        #: Whether notifications are swallowed.
        self.deaf = False
        #: How many connections were cut, and how.
        self.cuts: Counter[Cut] = Counter()
        self._upstream = upstream
        self._commits = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        assert self._stopping is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def drop_all(self) -> None:
        """Cut every connection there is, whatever goes on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._close_all)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stopping.wait()
        server.close()
        self._close_all()
        await asyncio.gather(*self._links)

    def _close_all(self) -> None:
        for link in self._links.values():
            link.close()

    async def _connected(
        self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            to_client.close()
            return
        link = _Link(self, (from_client, to_client), upstream)
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = link
        await asyncio.gather(link.ask(), link.answer())
        del self._links[task]

    def judged(self, session: _Session) -> Cut | None:
        """What becomes of the statements that a client has sent."""
        commits = session.commits()
        self._commits += commits
        said = tuple(session.statements)
        session.statements.clear()
        cut = self.judge(Exchange(statements=said, commits=commits, number=self._commits))
        if cut is not None:
            self.cuts[cut] += 1
        return cut


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One client and its connection to the server."""

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._session = _Session()

    def close(self) -> None:
        """End both connections; what was written still arrives."""
        self._to_client.close()
        self._to_server.close()

    async def ask(self) -> None:
        """Pass on what the client says, an exchange at a time."""
        with suppress(asyncio.IncompleteReadError, OSError):
            await self._pass_start_up()
            held = b""
            while True:
                kind, message = await _message(self._from_client)
                self._session.hear(kind, message[1 + _LENGTH :])
                held += message
                if kind in b"QS":
                    cut = self._proxy.judged(self._session) if self._session.statements else None
                    if cut == "before":
                        break
                    self._session.lost.append(cut == "after")
                    await _write(self._to_server, held)
                    held = b""
                    if cut == "during":
                        break
                elif kind not in b"PBDEC":  # these wait for a Sync
                    await _write(self._to_server, held)
                    held = b""
        self.close()

    async def answer(self) -> None:
        """Pass on what the server says, up to an answer that is to be lost."""
        session = self._session
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                kind, message = await _message(self._from_server)
                lost = bool(session.lost) and session.lost[0]
                if kind == b"Z":
                    session.within = message[-1:] != b"I"
                    if session.lost:
                        session.lost.popleft()
                    if lost:
                        break
                    await asyncio.sleep(self._proxy.delay)
                if kind == b"A" and self._proxy.deaf:
                    continue
                if not lost:
                    await _write(self._to_client, message)
        self.close()

    async def _pass_start_up(self) -> None:
        """The messages that have no type, up to the one that begins a session."""
        while True:
            size = await self._from_client.readexactly(_LENGTH)
            body = await self._from_client.readexactly(int.from_bytes(size) - _LENGTH)
            await _write(self._to_server, size + body)
            if body.startswith(_PROTOCOL):
                return


async def _message(source: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The type of the next message, and all of it."""
    head = await source.readexactly(1 + _LENGTH)
    return head[:1], head + await source.readexactly(int.from_bytes(head[1:]) - _LENGTH)


async def _write(target: asyncio.StreamWriter, data: bytes) -> None:
    target.write(data)
    await target.drain()
