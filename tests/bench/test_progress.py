from __future__ import annotations

from io import StringIO

import pytest

from bench.progress import PlainProgress, RichProgress, Tally, counting, duration_text, ended_text
from tests.bench.samples import failed_record, run_record, trial_record

RUN = run_record(blocks=1)
FIRST, SECOND = (trial_record(spec, wall_ns=30 * 10**9) for spec in RUN.plan[:2])


def test_plain_progress_is_a_line_a_trial() -> None:
    stream = StringIO()
    now = iter([0.0, 0.0, 1.0, 30.0, 30.0, 31.0])
    progress = PlainProgress(stream, clock=lambda: next(now))
    progress.begin(RUN.plan[:3], (FIRST,))
    progress.trial(SECOND.spec)
    progress.step("epoch", 1, 3)
    progress.step("epoch", 2, 3)
    progress.ended(SECOND)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "3 trials, 1 of them done",
        f"  {SECOND.spec.name}: epoch 2 of 3",
        f"[2/3] {SECOND.spec.name}: 10.00 s an epoch, 30 s left",
    ]


def test_failed_trial_says_why() -> None:
    record = failed_record(message="killed after its timeout of 9 s")
    assert ended_text(record).endswith("failed (crash): killed after its timeout of 9 s")


def test_time_left_is_that_of_the_mean_trial() -> None:
    tally = Tally(4)
    assert tally.left_s() is None
    assert tally.left_text() == ""
    tally.add(FIRST)
    assert tally.left_s() == 90.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (9000, "2.5 h")],
)
def test_durations_are_as_exact_as_a_forecast(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_bars_take_everything_that_a_session_says() -> None:
    progress = RichProgress()
    try:
        counting(progress, "images")(1, 2)
        progress.note("[not markup]")
        progress.begin(RUN.plan, ())
        progress.trial(FIRST.spec)
        progress.step("epoch", 1, 3)
        progress.ended(FIRST)
        progress.ended(failed_record())
    finally:
        progress.close()
        progress.close()
