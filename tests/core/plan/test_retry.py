"""Retries: how often, and after how long."""

from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.plan.retry import other_code_delay, retry_delay
from squidmesh_core.values import Exponential, RetryPolicy
from squidmesh_core.values.policy import LONGEST_DELAY_MS

BACKOFF = Exponential(min_ms=1_000, max_ms=5_000)
POLICY = RetryPolicy(max_attempts=5, backoff=BACKOFF)

delays = st.integers(1, 10**15)
backoffs = st.builds(Exponential, min_ms=delays, max_ms=delays)
jitters = st.floats(0, 1, exclude_max=True)


def delay(
    policy: RetryPolicy | None = POLICY,
    *,
    number: int = 1,
    kinds: tuple[str, ...] = (),
    retryable: bool = True,
    retry_after_ms: int | None = None,
    jitter: float = 0.0,
) -> int | None:
    """`retry_delay` of a first attempt under a policy."""
    return retry_delay(
        policy,
        number=number,
        kinds=kinds,
        retryable=retryable,
        retry_after_ms=retry_after_ms,
        jitter=jitter,
    )


def test_delays_are_those_of_the_reference() -> None:
    """1 s doubling to 5 s, five attempts: 1, 2, 4, 5 seconds, then no more."""
    assert [1_000, 2_000, 4_000, 5_000, None] == [delay(number=n) for n in range(1, 6)]


def test_no_backoff_retries_at_once() -> None:
    """Without a backoff the retry is visible at the failure."""
    assert 0 == delay(RetryPolicy(max_attempts=2))


def test_one_attempt_is_no_retry() -> None:
    """`max_attempts` counts the first attempt too."""
    assert None is delay(RetryPolicy(max_attempts=1))


def test_no_policy_no_retry() -> None:
    """A step without a policy is never retried, whatever it asks for."""
    assert None is delay(None, retry_after_ms=1)


def test_step_may_rule_a_retry_out() -> None:
    """A failure that no retry can help is not retried, whatever the policy."""
    assert None is delay(retryable=False)


def test_retry_on_narrows_by_class_name() -> None:
    """Named kinds are retried, their subclasses too, others are not."""
    narrow = RetryPolicy(max_attempts=2, retry_on=("Timeout", "Busy"))

    assert 0 == delay(narrow, kinds=("ReadTimeout", "Timeout", "Exception"))
    assert None is delay(narrow, kinds=("ValueError", "Exception"))


def test_retry_on_does_not_narrow_what_the_step_asked_for() -> None:
    """A failure without a class, told by the step itself, is retried."""
    assert 0 == delay(RetryPolicy(max_attempts=2, retry_on=("Timeout",)))


def test_retry_after_lengthens_up_to_the_cap() -> None:
    """What a step asks for counts when it is later, and not beyond the backoff's cap."""
    asked = [0, 500, 1_000, 3_000, 5_000, 60_000]

    assert [1_000, 1_000, 1_000, 3_000, 5_000, 5_000] == [delay(retry_after_ms=a) for a in asked]


def test_retry_after_has_no_cap_without_backoff() -> None:
    """Without a backoff a step may ask for as long as it likes."""
    assert 86_400_000 == delay(RetryPolicy(max_attempts=2), retry_after_ms=86_400_000)


def test_jitter_takes_off_up_to_half() -> None:
    """A drawn number shortens the delay, where the policy wants it."""
    jittered = RetryPolicy(max_attempts=5, backoff=BACKOFF, jitter=True)

    assert [1_000, 750, 525] == [delay(jittered, jitter=j) for j in (0.0, 0.5, 0.95)]
    assert 1_000 == delay(jitter=0.5)
    assert 1_000 == retry_delay(jittered, number=1, kinds=(), retryable=True)


@given(backoffs)
def test_delays_never_shrink_and_have_a_bound(backoff: Exponential) -> None:
    """Each delay is at least the one before and at most the cap, over any number of attempts."""
    policy = RetryPolicy(max_attempts=100, backoff=backoff)
    found = [delay(policy, number=n) for n in range(1, 100)]
    known = [ms for ms in found if ms is not None]

    assert len(found) == len(known)
    assert sorted(known) == known
    assert known[-1] <= min(backoff.max_ms, LONGEST_DELAY_MS)


@given(backoffs, jitters, st.integers(1, 99))
def test_jitter_stays_between_half_and_whole(
    backoff: Exponential, jitter: float, number: int
) -> None:
    """However the number falls, the delay is between its half and the whole of it."""
    whole = delay(RetryPolicy(max_attempts=100, backoff=backoff), number=number)
    policy = RetryPolicy(max_attempts=100, backoff=backoff, jitter=True)
    found = delay(policy, number=number, jitter=jitter)

    assert whole is not None
    assert found is not None
    assert whole // 2 <= found <= whole


@given(backoffs, st.integers(0, 10**15))
def test_retry_after_never_shortens_nor_passes_the_cap(backoff: Exponential, asked: int) -> None:
    """What a step asks for moves the delay between the policy's own and its cap."""
    policy = RetryPolicy(max_attempts=2, backoff=backoff)
    own, found = delay(policy), delay(policy, retry_after_ms=asked)

    assert own is not None
    assert found is not None
    assert own <= found <= max(own, min(backoff.max_ms, LONGEST_DELAY_MS))


def test_other_code_is_waited_for_longer_each_time() -> None:
    """A second at first, an hour at last."""
    waits = [other_code_delay(turns) for turns in range(14)]

    assert [1_000, 2_000, 4_000, 8_000] == waits[:4]
    assert [2_048_000, 3_600_000, 3_600_000] == waits[11:]
    assert 3_600_000 == other_code_delay(10**6)
