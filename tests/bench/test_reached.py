"""How near the best variant of each phase comes to its ceiling, in numbers and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import console
from bench.evidence import Finding, Severity
from bench.explaining import of_run
from bench.reached import GOAL, Reached, reached
from bench.report.reached import opening, plain, sentences
from bench.results import compute
from bench.schema import ProfileMode
from bench.stats import Interval
from tests.bench.samples import proof_records, run_record, trial_records

REPORTS = Path(__file__).parents[2] / "reports"
NEAR, FAR = Interval(0.99, 0.97, 1.0, 3), Interval(0.83, 0.8, 0.86, 3)


def made(
    share: Interval | None,
    reason: Finding | None = None,
    *,
    profiled: bool = False,
    phase: str = "cnn",
) -> Reached:
    return Reached(phase, "in_model", share, reason, profiled)


def one(share: Interval | None, reason: Finding | None = None, *, profiled: bool = False) -> str:
    (text,) = sentences([made(share, reason, profiled=profiled)])
    return text


def test_it_is_the_fastest_variant_under_the_ceiling_with_its_own_augmentation() -> None:
    run = run_record(profile=ProfileMode.NONE)
    seconds = {"default": 12.0, "in_model": 10.0, "ceiling_model": 9.0, "ceiling_none": 8.0}
    (found,) = reached(compute(run, trial_records(run, seconds), proof_records(run)))
    assert (found.phase, found.variant) == ("cnn", "in_model")
    assert found.reason is not None
    assert found.reason.code == "input-bound"
    assert found.share is not None
    assert abs(found.share.median - 0.9) < 0.03
    assert not found.is_reached
    assert not found.is_profiled


def test_near_its_ceiling_nothing_more_can_be_had() -> None:
    assert one(NEAR) == (
        "The fastest variant, in_model, runs at 99% of its compute ceiling (95% interval 97% to "
        "100%): no pipeline with its augmentation there could be much faster here."
    )


def test_far_from_it_a_profile_says_why_or_else_the_timed_trials() -> None:
    assert one(FAR).endswith(
        "less than 98%; nothing that was measured says why, and a profile might (--profile all)."
    )
    reason = Finding(
        "input-bound", Severity.INFO, "it waits for 12% of a step", "in_model, cnn", ""
    )
    assert one(FAR, reason, profiled=True).endswith(
        "less than 98%. Its profile says why: it waits for 12% of a step."
    )
    assert one(FAR, reason).endswith(
        "less than 98%. By its timed trials it waits for 12% of a step; a profile would say more "
        "(--profile all)."
    )


def test_a_kept_run_with_profiles_has_its_reason_from_the_profile() -> None:
    (found,) = of_run(REPORTS / "cpu-2core-generated").reached
    assert found.is_profiled
    assert found.reason is not None
    assert found.reason.where == f"{found.variant}, cnn"


def test_the_command_says_it_of_the_phase_that_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.explained(of_run(REPORTS / "phases-photographs", "transfer"), as_json=False)
    said = capsys.readouterr().out
    assert said.count("of its compute ceiling") == 1
    assert "The fastest variant, " in said


def test_a_ceiling_that_was_not_measured_is_not_guessed() -> None:
    assert "an unknown share of its compute ceiling" in one(None)
    assert not made(None).is_reached


def test_several_phases_are_named() -> None:
    found = [made(NEAR), made(NEAR, phase="transfer")]
    assert [text.split(",")[0] for text in sentences(found)] == [
        "The fastest variant in cnn",
        "The fastest variant in transfer",
    ]


def test_programs_get_the_goal_too() -> None:
    found = plain(made(FAR))
    assert (found["goal"], found["variant"], found["reason"]) == (GOAL, "in_model", None)
    assert found["share_of_ceiling"]["median"] == 0.83


def test_a_run_without_a_sweep_opens_as_it_always_did() -> None:
    run = run_record(profile=ProfileMode.NONE)
    assert opening(compute(run, trial_records(run), proof_records(run))) == ""
