"""The joint verdict, word for word, in each of its cases; and the section of a whole sweep."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import plan, sweep_plan
from bench.device_schema import SweepSpec
from bench.joint import Joint
from bench.report import claim_map_figure
from bench.report import joint as words
from bench.report.markdown import markdown
from bench.results import RunResults, compute
from bench.schema import ProfileMode
from bench.stats import Interval
from tests.bench.joint_samples import CEILING, around, audited, joint, no_interval
from tests.bench.samples import environment, proof_records, run_record, trial_records
from tests.bench.sweep_samples import STEPS, swept_results

GOLDEN = Path(__file__).parent / "golden" / "joint.md"
SLOW, FAST = 64.0, 6400.0
RISING = {SLOW: around(1.0), 640.0: around(4.0), FAST: around(20.0)}
FLAT = {SLOW: around(1.0), FAST: around(3.0)}


def said(made: Joint) -> str:
    return words.verdict(made, run_record())


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            joint(RISING, measured=audited(ceiling=CEILING)),
            "The claim, in_model 7 times as fast as default, is impossible on this CPU (1.20x, 95% "
            "interval 1.10 to 1.30; at most 1.40x is possible); with these cores and files it "
            "holds on devices that train more than about 1,425 images/s (95% interval 1,244 to "
            "1,633) (emulated).",
        ),
        (
            joint(RISING),
            "is refuted on this CPU (1.20x, 95% interval 1.10 to 1.30); with these",
        ),
        (
            joint({SLOW: around(9.0), FAST: around(20.0)}),
            "it holds on every device of the sweep (64.0 to 6,400 images/s) (emulated).",
        ),
        (
            joint(FLAT, alone=4.0),
            "it holds at no device speed: the pipelines alone, with no model at all, give 4.00x",
        ),
        (
            joint(FLAT, alone=0.9),
            "it holds at no device speed: in_model's own pipeline is no faster than default's "
            "(0.90x with no model at all)",
        ),
        (
            joint(FLAT, alone=20.0),
            "it holds on no device of the sweep (64.0 to 6,400 images/s; on the fastest 3.00x "
            "(2.73 to 3.30)), though the pipelines alone would give 20.0x: a faster device may",
        ),
        (
            joint(FLAT, baseline_images_per_s=7000.0),
            "default's own pipeline makes 7,000 images/s and keeps up with all of them, so the "
            "sweep ends too early",
        ),
        (
            joint(FLAT, alone=None),
            "and what the pipelines alone would give was not timed",
        ),
        (
            joint({SLOW: around(1.0), FAST: around(7.1, 0.5)}),
            "it does not hold below 2,732 images/s, and it is undecided up to 6,400 images/s",
        ),
        (
            joint({SLOW: around(1.0), FAST: no_interval(20.0)}),
            "it is undecided for other devices, since too few blocks were timed for an interval; "
            "by the centres alone it would hold beyond about",
        ),
        (
            joint({SLOW: around(1.0), FAST: no_interval(3.0)}),
            "it would hold on no device of the sweep (64.0 to 6,400 images/s)",
        ),
        (
            joint(RISING, measured=audited(candidate="fused_cache")),
            "The same of another candidate, fused_cache 7 times as fast as default, is refuted",
        ),
        (
            joint(RISING, measured=audited(Interval(8.0, 7.5, 8.5, 3))),
            "is supported on this CPU (8.00x, 95% interval 7.50 to 8.50); with these cores",
        ),
        (
            joint(FLAT, measured=audited(Interval(8.0, 7.5, 8.5, 3))),
            "Both can be: this CPU shares its cores with the pipeline, and an emulated device uses",
        ),
        (
            joint(RISING, measured=audited(None)),
            "is undecided on this CPU (no block has both the baseline and the candidate); with",
        ),
        (
            joint(RISING, measured=audited(no_interval(1.2))),
            "is undecided on this CPU (1.20x; there is no interval (one block)); with",
        ),
    ],
)
def test_each_case(made: Joint, expected: str) -> None:
    assert expected in said(made)


def test_what_a_gpu_trains_takes_no_cores_from_the_pipeline() -> None:
    run = run_record(machine=environment(gpus=("NVIDIA H100",)))
    made = joint(FLAT, measured=audited(Interval(8.0, 7.5, 8.5, 3)))
    assert words.verdict(made, run).endswith(
        "The two contradict each other: believe neither before you know why."
    )


def test_where_it_was_measured_is_named() -> None:
    assert words.here(run_record()) == "on this CPU"
    gpu = run_record(machine=environment(gpus=("NVIDIA H100",)))
    assert words.here(gpu) == "on this GPU"


def test_a_run_without_a_sweep_says_nothing_of_other_devices() -> None:
    run = run_record(profile=ProfileMode.NONE)
    results = compute(run, trial_records(run), proof_records(run))
    assert words.verdicts(results) == []
    assert words.section(results) == ""
    assert words.summary(results) == {}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    return swept_results(tmp_path_factory.mktemp("run"))


def test_the_section_is_as_it_was_read_and_approved(results: RunResults) -> None:
    text = "\n\n".join((*words.verdicts(results), words.section(results))) + "\n"
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_report_opens_with_the_joint_verdict(results: RunResults) -> None:
    text = markdown(results)
    opening = text[: text.index("## ")]
    assert f"**{words.verdicts(results)[0]}**" in opening
    assert "of its compute ceiling" in opening
    assert text.count(words.TITLE) == 1


def test_every_map_is_drawn_under_a_name_of_its_own(results: RunResults) -> None:
    drawn = claim_map_figure.figures(results)
    assert list(drawn) == ["claim-map-cnn.png", "claim-map-cnn-plain.png"]
    assert all(f"(figures/{name})" in words.section(results) for name in drawn)


def test_the_summary_says_that_the_sweep_was_emulated(results: RunResults) -> None:
    found = words.summary(results)["sweep"]
    assert found["emulated"] is True
    assert [run["step"] for run in found["runs"]] == list(STEPS)
    assert [item["candidate"] for item in found["candidates"]] == ["in_model", "plain"]
    assert found["candidates"][0]["elsewhere"] == "on faster devices"


def test_a_sweep_that_was_not_made_is_said_to_be_unknown(results: RunResults) -> None:
    assert results.swept is not None
    bare = replace(results.swept, joints=(), notes=("A step of 1s: not begun.",))
    (text,) = words.verdicts(replace(results, swept=bare))
    assert text == "For which devices the claim holds is not known: A step of 1s: not begun."


def test_the_folders_of_a_sweep_are_named_for_its_steps() -> None:
    config = replace(run_record().config, sweep=SweepSpec(("1s", "5ms"), blocks=3, epochs=4))
    parts = sweep_plan.parts(config, Path("run"))
    assert [part.folder.as_posix() for part in parts] == ["run/sweep/step-1s", "run/sweep/step-5ms"]
    assert all(spec.device for part in parts for spec in plan.build(part.config))
