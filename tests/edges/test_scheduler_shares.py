"""Fair shares: by weight between priorities, equal between inboxes and between jobs, and nobody starves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.scheduler.shares import Path, Shares

URGENT, HIGH, NORMAL, LOW = range(4)
paths = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 3)), min_size=1, max_size=8
)


calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine


def serve(shares: Shares, waiting: Sequence[Path], turns: int, cost: float = 1) -> list[Path]:
    """One call at a time, of those who always have another one to make."""
    for path in waiting:
        shares.join(path)
    served = []
    for _ in range(turns):
        path = min(waiting, key=shares.rank)
        shares.serve(path, cost, waiting)
        shares.end(path)
        served.append(path)
    return served


def test_inboxes_share_alike_however_many_jobs_they_have() -> None:
    """Nine jobs of one inbox and one job of another: half for each inbox, the nine share theirs."""
    many = [(NORMAL, "many", f"job {number}") for number in range(9)]
    alone = (NORMAL, "one", "alone")
    served = Counter(serve(Shares(), [*many, alone], 180))
    assert abs(served[alone] - 90) <= 1
    assert all(abs(served[path] - 10) <= 1 for path in many)


def test_a_higher_priority_has_three_times_as_much_as_the_next() -> None:
    """Across inboxes; the lowest gets something."""
    waiting = [(priority, f"inbox {priority}", "job") for priority in range(4)]
    served = Counter(path[0] for path in serve(Shares(), waiting, 400))
    assert [round(served[priority] / 10) for priority in range(4)] == [27, 9, 3, 1]


def test_an_urgent_job_is_next() -> None:
    """Others were served alone for long: that gives them nothing in advance, and costs them nothing."""
    shares, large = Shares(), (NORMAL, "a", "large")
    serve(shares, [large], 1000)
    urgent = (URGENT, "b", "urgent")
    served = serve(shares, [large, urgent], 40)
    assert served[0] == urgent
    assert 3 <= served.count(large) <= 5


def test_images_count_and_not_calls() -> None:
    """Who asks for four at a time gets every fifth turn beside one who asks for one."""
    shares, four, one = Shares(), (NORMAL, "a", "four"), (NORMAL, "b", "one")
    served: Counter[Path] = Counter()
    for path in (four, one):
        shares.join(path)
    for _ in range(100):
        path = min((four, one), key=shares.rank)
        shares.serve(path, 4 if path == four else 1, [four, one])
        shares.end(path)
        served[path] += 1
    assert abs(served[four] - 20) <= 1


def test_slow_calls_of_one_do_not_fill_every_turn() -> None:
    """Who has the fewest in flight is next, between jobs as between inboxes."""
    shares, slow, quick = Shares(), (NORMAL, "a", "slow"), (NORMAL, "a", "quick")
    for _ in range(3):
        shares.serve(slow, 1, [slow])
    shares.join(quick)
    for _ in range(3):
        assert min((slow, quick), key=shares.rank) == quick
        shares.serve(quick, 1, [slow, quick])


@calm
@given(paths)
def test_nobody_starves(who: list[tuple[int, str, int]]) -> None:
    """Whatever waits beside it: the lowest of all gets its turn within those of all the weights together."""
    waiting = sorted({(priority, inbox, f"{priority}{inbox}{job}") for priority, inbox, job in who})
    served = serve(Shares(), waiting, 40 * len(waiting) * 3)
    assert set(served) == set(waiting)


@calm
@given(paths, st.lists(st.integers(0, 7), max_size=40))
def test_who_is_gone_is_forgotten(who: list[tuple[int, str, int]], turns: list[int]) -> None:
    """Nothing is kept of jobs and inboxes that have nothing more to do."""
    shares = Shares()
    waiting = sorted({(priority, inbox, f"{inbox}{job}") for priority, inbox, job in who})
    for path in waiting:
        shares.join(path)
    for turn in turns:
        path = waiting[turn % len(waiting)]
        shares.serve(path, 1, waiting)
        shares.end(path)
    shares.keep([])
    assert (shares._had, shares._clocks, shares._in_flight) == ({}, {}, {})
