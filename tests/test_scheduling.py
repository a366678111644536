"""Jobs that wait for each other: order, number at a time, errors."""

import threading

import pytest

from lib.weekly.scheduling import Job, run_jobs


def recorded(*jobs, workers=1):
    """Run jobs, given as name, after, seconds, and return their names in the order they started."""
    order = []
    made = [Job(name, lambda name=name: order.append(name), *rest) for name, *rest in jobs]
    run_jobs(made, workers, pytest.fail)
    return order


def test_jobs_wait_for_those_they_come_after():
    jobs = [("d", {"b", "c"}, 0.0), ("b", {"a"}, 9.0), ("c", (), 0.0), ("a", (), 0.0)]
    assert recorded(*reversed(jobs)) == ["a", "b", "c", "d"]


def test_the_head_of_the_longest_chain_starts_first():
    jobs = [("short", (), 1.0), ("head", (), 2.0), ("long", (), 6.0), ("tail", {"head"}, 5.0)]
    assert recorded(*jobs) == ["head", "long", "tail", "short"]


def test_two_jobs_run_side_by_side():
    meeting = threading.Barrier(2, timeout=10)
    run_jobs([Job("a", meeting.wait), Job("b", meeting.wait)], 2, pytest.fail)


def test_an_error_stops_the_running_jobs_and_is_raised():
    stopped = threading.Event()

    def wait_for_stop():
        assert stopped.wait(10)

    def fail():
        raise ValueError("no such factor")

    later = Job("later", pytest.fail, {"a"})
    with pytest.raises(ValueError, match="no such factor"):
        run_jobs([Job("a", wait_for_stop), Job("b", fail), later], 2, stopped.set)
