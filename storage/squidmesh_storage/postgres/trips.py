"""
One trip to the server: all statements in one write, all answers in as few reads as they fit.

    statements ▸ sync        one write
    answers ◂ ready          one wait, one read

The pipeline of the driver's cursors writes each statement by itself, and asks the kernel
before and after it whether the connection takes or has anything: 25 times for a claim that
needs six, and the server is woken for each piece.  So libpq is asked directly, in generators
that a connection waits for, a thread's or an event loop's.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import psycopg
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat
from psycopg.errors import error_from_result
from psycopg.generators import execute, fetch_many, send
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from squidmesh_storage.postgres.connecting import OPENED, AnyConnection, Session
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, Call, Round, Rows

#: Where a value stands, or a per cent sign.
_NAME: Final = re.compile(r"%(?:%|\((\w+)\)s)")
_DONE: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.EMPTY_QUERY})


class _Bound(NamedTuple):
    """A statement as libpq takes it."""

    text: bytes
    values: Sequence[Buffer | None] = ()
    formats: Sequence[Format] | None = None
    #: Of what it returns.
    result: Format = Format.TEXT


def trip(session: Session[AnyConnection], calls: Round) -> PQGen[Sequence[Rows]]:
    """
    The rows of each call, once a connection has waited for this.

    Raises:
        psycopg.Error: What the first statement that failed came to.
    """
    if session.pooled:
        answers: list[Rows] = []
        for call in _one_by_one(session, calls):
            rows = yield from _alone(session, call)
            answers.append(rows)
        return answers if len(answers) == len(calls) else answers[1:-1]
    if len(calls) == 1 and calls[0].values is None:
        return [(yield from _alone(session, calls[0]))]  # which may be several statements
    if not session.in_transaction:
        while (name := session.plans.over()) is not None:
            yield from _alone(session, Call(f"deallocate {name.decode()}"))
    return (yield from _together(session, calls))


def _one_by_one(session: Session[AnyConnection], calls: Round) -> Round:
    """
    What goes to the server through a pooler: no pipeline, and settings in each transaction.

    Poolers hand answers on in pieces, and may take a pause between two of them for the end.
    """
    if session.in_transaction or (len(calls) == 1 and calls[0].bare):
        return calls
    return (OPENED, *calls[1:]) if calls[0] is BEGIN else (OPENED, *calls, COMMIT)


def _alone(session: Session[AnyConnection], call: Call) -> PQGen[Rows]:
    """One call without a pipeline."""
    bound, pgconn = _bound(session, call), session.connection.pgconn
    if call.values is None:
        pgconn.send_query(bound.text)
    else:
        pgconn.send_query_params(
            bound.text, bound.values, None, bound.formats, result_format=bound.result
        )
    results = yield from execute(pgconn)
    _check(results)
    return _rows(session, results[0])


def _together(session: Session[AnyConnection], calls: Round) -> PQGen[Sequence[Rows]]:
    """
    Calls in a pipeline, to its end: what one of them fails with is for all after it.

    Whoever is interrupted in here leaves the pipeline open, by which it shows that the
    connection is of no use any more.
    """
    bound = [_bound(session, call) for call in calls]
    pgconn = session.connection.pgconn
    pgconn.enter_pipeline_mode()
    made = [_enqueue(session, one, call) for one, call in zip(bound, calls, strict=True)]
    pgconn.pipeline_sync()
    yield from send(pgconn)
    results: list[PGresult] = []
    try:
        for _ in range(len(made) + sum(name is not None for name in made)):
            results += yield from fetch_many(pgconn)
        yield from fetch_many(pgconn)  # the end of the pipeline
    except psycopg.Error:
        _check(results)  # the server may have said why, and then gone away
        raise
    pgconn.exit_pipeline_mode()
    return _answers(session, bound, made, iter(results))


def _answers(
    session: Session[AnyConnection],
    bound: Sequence[_Bound],
    made: Sequence[bytes | None],
    results: Iterator[PGresult],
) -> Sequence[Rows]:
    """The rows of each statement; a plan that was made has a result of its own before it."""
    answers: list[Rows] = []
    for one, name in zip(bound, made, strict=True):
        if name is not None:
            _check((next(results),))
            session.plans.keep(one.text, name)
        result = next(results)
        _check((result,))
        answers.append(_rows(session, result))
    return answers


def _enqueue(session: Session[AnyConnection], bound: _Bound, call: Call) -> bytes | None:
    """Put a statement into the pipeline; the name under which it is to be kept from now on."""
    pgconn, made = session.connection.pgconn, None
    name = session.plans.known(bound.text) if call.keeps else None
    if call.keeps and name is None:
        name = made = session.plans.wanted(bound.text)
    if made is not None:
        pgconn.send_prepare(made, bound.text)
    if name is not None:
        pgconn.send_query_prepared(name, bound.values, bound.formats, result_format=bound.result)
    else:
        pgconn.send_query_params(
            bound.text, bound.values, None, bound.formats, result_format=bound.result
        )
    return made


def _bound(session: Session[AnyConnection], call: Call) -> _Bound:
    if call.values is None:
        return _Bound(call.text.encode())
    text, names = _numbered(call.text)
    adapting = session.adapting
    # What type each has is said in the statement: so it is one statement whatever is null.
    values = adapting.dump_sequence(
        [call.values[name] for name in names], [PyFormat.AUTO] * len(names)
    )
    return _Bound(text, values, adapting.formats, Format.BINARY)


@lru_cache(maxsize=1024)
def _numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with numbers for names, and the names in their order."""
    names = tuple(dict.fromkeys(name for name in _NAME.findall(text) if name))
    numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
    return _NAME.sub(lambda match: numbers.get(match[1], "%"), text).encode(), names


def _check(results: Sequence[PGresult]) -> None:
    for result in results:
        if result.status not in _DONE:
            raise error_from_result(result)


def _rows(session: Session[AnyConnection], result: PGresult) -> Rows:
    if result.status != ExecStatus.TUPLES_OK:
        return ()
    session.adapting.set_pgresult(result)
    return session.adapting.load_rows(0, result.ntuples, tuple)
