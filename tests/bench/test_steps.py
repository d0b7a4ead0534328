"""Steps from readings of clocks: every way adds up, and none calls compute a wait."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.steps import Begin, by_completion, by_host, by_stamps

GAPS = st.lists(st.integers(1, 10**9), min_size=1, max_size=8)


def test_on_the_host_a_step_lasts_until_the_next_begins() -> None:
    found = by_host([Begin(0, 100, 0), Begin(1, 130, 0)], 200)
    assert (found.begin_ns, found.step_ns, found.end_ns) == (100, (30, 70), 200)
    assert found.wait_ns is found.compute_ns is None


def test_a_stamped_step_waits_from_its_begin_to_its_batch() -> None:
    begins = [Begin(0, 100, 5_000), Begin(1, 200, 5_100)]
    found = by_stamps(begins, [(5_030, 5_090), (5_105, 5_150)], 260)
    assert found.step_ns == (100, 60)
    assert found.wait_ns == (30, 5)
    assert found.compute_ns == (60, 45)


def test_within_an_execution_a_step_begins_where_the_one_before_has_updated() -> None:
    begins = [Begin(0, 100, 5_000), Begin(2, 400, 5_300)]
    stamps = [(5_010, 5_100), (5_140, 5_290), (5_320, 5_380)]
    found = by_stamps(begins, stamps, 500)
    assert found.step_ns == (100, 200, 100)
    assert found.wait_ns == (10, 40, 20)
    assert found.compute_ns == (90, 150, 60)


def test_a_batch_fetched_while_the_step_before_computed_is_no_wait() -> None:
    found = by_stamps([Begin(0, 100, 5_000)], [(5_010, 5_100), (5_060, 5_190)], 300)
    assert found.wait_ns == (10, 0)
    assert found.compute_ns == (90, 90)


def test_a_step_without_stamps_is_refused() -> None:
    with pytest.raises(ValueError, match="expected stamps of step 2, found 2 in all"):
        by_stamps([Begin(0, 0, 0), Begin(2, 9, 9)], [(1, 2), (3, 4)], 20)


def test_a_batch_that_was_there_before_the_device_was_free_is_no_wait() -> None:
    found = by_completion(1_000, ready_ns=[1_100, 1_150, 1_900], done_ns=[1_500, 1_800, 2_200])
    assert found.step_ns == (500, 300, 400)
    assert found.wait_ns == (100, 0, 100)
    assert found.compute_ns == (400, 300, 300)


def test_completions_may_be_noticed_out_of_order_and_at_once() -> None:
    found = by_completion(0, ready_ns=[1, 2, 3], done_ns=[30, 20, 20])
    assert found.step_ns == (20, 1, 9)
    assert found.end_ns == 30


@given(GAPS, st.data())
def test_completed_steps_add_up_and_each_is_its_wait_and_its_compute(
    gaps: list[int], data: st.DataObject
) -> None:
    done = list(accumulate(gaps))
    ready = [data.draw(st.integers(0, end)) for end in done]
    found = by_completion(0, ready, data.draw(st.permutations(done)))
    assert sum(found.step_ns) == found.end_ns - found.begin_ns
    assert found.wait_ns is not None
    assert found.compute_ns is not None
    parts = zip(found.wait_ns, found.compute_ns, strict=True)
    assert [wait + compute for wait, compute in parts] == list(found.step_ns)
    assert min(*found.wait_ns, *found.compute_ns) >= 0


@given(st.lists(st.tuples(*[st.integers(1, 10**9)] * 3), min_size=1, max_size=8), st.integers(1, 4))
def test_stamped_steps_add_up_however_many_run_as_one(
    parts: list[tuple[int, int, int]], together: int
) -> None:
    """On clocks that agree: wait, compute and what is left until the next begin."""
    ends = list(accumulate(sum(part) for part in parts))
    begins = [end - sum(part) for part, end in zip(parts, ends, strict=True)]
    stamps = [
        (begin + wait, begin + wait + compute)
        for begin, (wait, compute, _) in zip(begins, parts, strict=True)
    ]
    firsts = [Begin(step, begins[step], begins[step]) for step in range(0, len(parts), together)]
    found = by_stamps(firsts, stamps, ends[-1])
    assert sum(found.step_ns) == ends[-1]
    assert min(found.step_ns) > 0
    assert found.wait_ns is not None
    assert found.wait_ns[0] == parts[0][0]
