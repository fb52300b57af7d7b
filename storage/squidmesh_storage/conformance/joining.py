# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised where a transaction is shared: the host's by us, or ours by the host."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol, cast

import pytest

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import Fingerprint, Revision
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_storage.api import (
    Checkpoint,
    Choice,
    Committed,
    Conflict,
    Joined,
    Journal,
    Offered,
    Quarantine,
)
from squidmesh_storage.conformance.kit import (
    Promises,
    attempt,
    commit,
    first,
    keys_of,
    look,
    notice,
    puts,
    records_of,
    run_id,
    then,
)

RUN: Final = run_id(1)
FINGERPRINT: Final = Fingerprint("a" * 64)


class Host(Protocol):
    """A host's own connection to the database that the journal is in."""

    @property
    def connection(self) -> object:
        """What the host hands to `transaction`."""
        ...

    def begin(self) -> None:
        """Begin a transaction."""
        ...

    def commit(self) -> None:
        """Commit it."""
        ...

    def rollback(self) -> None:
        """Roll it back."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class _Driver(Protocol):
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class JoiningPromises(Promises):
    """One transaction, two who write in it: all of it is durable, or nothing."""

    def open_host(self, journal: Journal) -> Host | None:
        """A host's connection, in no transaction; null: nobody else can write there."""
        del journal
        return None

    @pytest.fixture
    def host(self, journal: Journal) -> Iterator[Host]:
        """A host of the journal under test."""
        host = self.open_host(journal)
        if host is None:
            pytest.skip("nobody else can write where this journal is")
        yield host
        host.close()

    @pytest.fixture
    def joined(self, journal: Journal, host: Host) -> Iterator[Joined]:
        """The journal inside the host's open transaction."""
        host.begin()
        joined = journal.transaction(host.connection)
        yield joined
        joined.close()

    # -- the host's transaction

    def test_an_append_is_seen_by_nobody_else_before_the_commit(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """Inside it is seen at once, outside with all that the host wrote."""
        begun = first(RUN, rows=puts(attempt(RUN)))
        commit(joined, begun)
        second = then(begun)
        commit(joined, second)

        assert records_of(begun, second) == joined.load(RUN).records
        assert second.record.last == joined.find(RUN, second.record.append_id)
        assert (attempt(RUN),) == joined.rows_of(RUN).attempts
        assert journal.find(RUN, begun.record.append_id) is None
        assert look(journal) == ()

        host.commit()
        assert records_of(begun, second) == journal.load(RUN).records
        assert (attempt(RUN).attempt_key,) == keys_of(look(journal))

    def test_an_append_is_undone_with_the_transaction(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """As if it had never been: the same may be appended again."""
        begun = first(RUN, rows=puts(attempt(RUN)))
        commit(joined, begun)

        host.rollback()

        with pytest.raises(RunNotFound):
            journal.load(RUN)
        assert IndexRows() == journal.rows_of(RUN)
        commit(journal, begun)

    def test_each_batch_gets_its_own_outcome(self, journal: Journal, host: Host) -> None:
        """A conflict is told, leaves the others alone, and the transaction goes on."""
        begun, other = first(RUN), first(run_id(2))
        commit(journal, begun)
        host.begin()
        joined = journal.transaction(host.connection)

        outcomes = joined.append((first(RUN, entries=3), other))

        assert outcomes == (
            Conflict(run_id=RUN, expected=Revision(0), actual=Revision(1)),
            Committed(run_id=run_id(2), revision=Revision(1)),
        )
        commit(joined, then(begun))
        host.commit()
        assert Revision(2) == journal.load(RUN).head.revision
        assert records_of(other) == journal.load(run_id(2)).records

    def test_a_group_falls_together(self, journal: Journal, host: Host) -> None:
        """In a transaction that goes on as well."""
        commit(journal, first(RUN))
        host.begin()

        outcomes = journal.transaction(host.connection).append(
            (first(RUN, group="g"), first(run_id(2), group="g"))
        )

        assert [Conflict, Conflict] == [type(outcome) for outcome in outcomes]
        host.commit()
        with pytest.raises(RunNotFound):
            journal.load(run_id(2))

    def test_a_group_stands_together(self, journal: Journal, host: Host, joined: Joined) -> None:
        """And one that falls beside it takes nothing of it along."""
        group = (first(run_id(2), group="g"), first(run_id(3), group="g"))
        commit(joined, first(RUN))
        fallen = first(RUN, group="h")

        outcomes = joined.append((*group, fallen))

        assert outcomes == (
            Committed(run_id=run_id(2), revision=Revision(1)),
            Committed(run_id=run_id(3), revision=Revision(1)),
            Conflict(run_id=RUN, expected=Revision(0), actual=Revision(1)),
        )
        host.commit()
        for batch in group:
            assert records_of(batch) == journal.load(batch.record.run_id).records

    def test_notices_are_kept_or_undone_with_the_transaction(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """Hooks hear of what is durable, and of nothing else."""
        host.rollback()
        journal.put_record("hook", "run_failed tell", "{}")
        for ending, kept in ((host.rollback, 0), (host.commit, 1)):
            host.begin()
            commit(joined, first(RUN, notices=(notice("run_failed", "1:1"),)))
            assert journal.records("notice") == ()
            ending()

            assert kept == len(journal.records("notice"))

    def test_a_definition_is_there_when_the_run_is_that_names_it(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """Stored without waiting for the transaction that it is stored in."""
        joined.define(FINGERPRINT, "{}")
        joined.define(FINGERPRINT, "{}")
        commit(joined, first(RUN))

        assert joined.definition(FINGERPRINT) == "{}"
        host.commit()
        assert journal.definition(FINGERPRINT) == "{}"

    def test_a_definition_can_be_stored_again_after_a_rollback(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """Whether or not the rollback took it away."""
        joined.define(FINGERPRINT, "{}")
        host.rollback()

        journal.define(FINGERPRINT, "{}")

        assert journal.definition(FINGERPRINT) == "{}"

    def test_nobody_is_woken_before_it_is_closed(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """A driver does not tell of the commit; whoever has the connection closes after it."""
        with journal.listen(("default",)) as wakeups:
            while wakeups.wait(0):
                pass  # an adapter may say more than it has to, when somebody begins to listen
            commit(joined, first(RUN, rows=puts(attempt(RUN))))
            assert not wakeups.wait(0)

            host.commit()
            joined.close()

            assert wakeups.wait(10)

    def test_closing_leaves_the_transaction_open(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """It is the host's; only the joined journal is over."""
        commit(joined, first(RUN))

        joined.close()
        joined.close()

        with pytest.raises(StorageError):
            joined.load(RUN)
        with pytest.raises(RunNotFound):
            journal.load(RUN)
        host.commit()
        assert Revision(1) == journal.load(RUN).head.revision

    def test_what_makes_no_sense_inside_is_refused(
        self, journal: Journal, host: Host, joined: Joined
    ) -> None:
        """And touches nothing: the transaction goes on."""
        begun = first(RUN, rows=puts(attempt(RUN)))
        commit(joined, begun)
        for refused in self._refused(joined):
            with pytest.raises(StorageError):
                refused()

        commit(joined, then(begun))
        host.commit()
        assert Revision(2) == journal.load(RUN).head.revision
        assert (attempt(RUN),) == journal.rows_of(RUN).attempts

    def test_without_a_transaction_nothing_is_written(self, journal: Journal, host: Host) -> None:
        """The commit of each statement would be a promise that nobody made."""
        with pytest.raises(StorageError):
            journal.transaction(host.connection).append((first(RUN),))

        with pytest.raises(RunNotFound):
            journal.load(RUN)

    def test_what_is_no_connection_is_refused(self, journal: Journal) -> None:
        """Also where no connection would do."""
        with pytest.raises(StorageError) as refused:
            journal.transaction(object()).load(RUN)

        assert refused.value.code == "unsupported_transaction_storage"

    # -- a transaction of ours

    @pytest.fixture
    def lender(self, journal: Journal) -> Journal:
        """A journal whose transactions can be borrowed."""
        host = self.open_host(journal)
        if host is None:
            pytest.skip("nobody else can write where this journal is")
        host.close()
        return journal

    def test_a_borrowed_transaction_is_committed_at_its_end(self, lender: Journal) -> None:
        """Not before; and then whoever listens is woken."""
        begun = first(RUN, rows=puts(attempt(RUN)))
        with lender.listen(("default",)) as wakeups:
            while wakeups.wait(0):
                pass
            with lender.lend() as joined:
                commit(joined, begun)
                assert records_of(begun) == joined.load(RUN).records
                with pytest.raises(RunNotFound):
                    lender.load(RUN)
                assert not wakeups.wait(0)

            assert wakeups.wait(10)
        assert records_of(begun) == lender.load(RUN).records

    def test_a_borrowed_transaction_is_rolled_back_by_an_error(self, lender: Journal) -> None:
        """Whatever it is; it is raised as it came."""

        class Odd(BaseException):
            """Nothing that an adapter knows."""

        def borrow() -> None:
            with lender.lend() as joined:
                commit(joined, first(RUN))
                raise Odd

        with pytest.raises(Odd):
            borrow()

        with pytest.raises(RunNotFound):
            lender.load(RUN)

    def test_whoever_borrows_a_transaction_cannot_end_it(self, lender: Journal) -> None:
        """Half of it would be durable, and nobody would know."""
        with lender.lend() as joined:
            commit(joined, first(RUN))
            borrowed = cast("_Driver", joined.connection)
            for end in (borrowed.commit, borrowed.rollback):
                with pytest.raises(Exception, match=r".+"):
                    end()
            with pytest.raises(RunNotFound):
                lender.load(RUN)

        assert Revision(1) == lender.load(RUN).head.revision

    def test_a_borrowed_transaction_can_be_joined_by_its_connection(self, lender: Journal) -> None:
        """What a step begins through its connection stands or falls with the step."""
        with lender.listen(("default",)) as wakeups:
            while wakeups.wait(0):
                pass
            with lender.lend() as joined:
                inner = lender.transaction(joined.connection)
                commit(inner, first(RUN, rows=puts(attempt(RUN))))
                inner.close()
                with pytest.raises(RunNotFound):
                    lender.load(RUN)
                assert not wakeups.wait(0)

            assert wakeups.wait(10)
        assert Revision(1) == lender.load(RUN).head.revision

    def test_where_nobody_else_can_write_nothing_is_lent(self, journal: Journal) -> None:
        """Before anything was done."""
        host = self.open_host(journal)
        if host is not None:
            host.close()
            pytest.skip("transactions of this journal can be shared")

        with pytest.raises(StorageError) as refused, journal.lend():
            pass

        assert refused.value.code == "unsupported_transaction_storage"

    def _refused(self, joined: Joined) -> list[Callable[[], object]]:
        def decide(offered: Offered) -> Choice:
            raise AssertionError(offered)

        checkpoint = Checkpoint(revision=Revision(1), hash="0", codec_version=1, body="{}")
        return [
            lambda: joined.claimable(("default",), ("act",), 1, decide),
            lambda: joined.foremost(("default",), ("act",)),
            lambda: joined.listen(("default",)),
            lambda: joined.index(RUN, Revision(1), IndexRows()),
            lambda: joined.put_checkpoint(RUN, checkpoint),
            lambda: joined.delete_checkpoint(RUN),
            lambda: joined.quarantine(RUN, Quarantine(revision=None, reason="why")),
            lambda: joined.remove(RUN, Revision(1), None),
            lambda: joined.put_record("queue", "default", "{}"),
            lambda: joined.drop_record("queue", "default"),
            lambda: joined.transaction(joined.connection),
            joined.lend,
        ]
