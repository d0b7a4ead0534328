"""The report of a training under a golden file, and what it says when something is missing.

After a change on purpose run `LEAFBENCH_UPDATE_GOLDEN=1 pytest tests/bench/report`, and read the
diff.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.audit import AuditRecord
from bench.codec import encode
from bench.report.training import comparison, make, markdown
from bench.schema import SCHEMA_VERSION, Failure, FailureKind
from bench.training.records import FailureRecord, TrainConfig
from bench.training.results import TrainingResults, chosen, compute, pairs
from leafmodel.data.leaks import BorderLeak, Duplicates, LeakAudit
from tests.bench.training.samples import config, data, finish, head, phase, stored

GOLDEN = Path(__file__).parent / "golden" / "training.md"
CNN = [True, True, False] * 30
TRANSFER = [True] * 80 + [False] * 10
IMPROVED = [True] * 81 + [False] * 9
AUDIT = AuditRecord(
    SCHEMA_VERSION,
    "test",
    LeakAudit(
        border=BorderLeak(
            images=90, training_images=250, accuracy=0.5, low=0.4, high=0.6, guess=1 / 3
        ),
        duplicates=Duplicates(images=90, count=0, same_class=0, pairs=()),
    ),
)


def _results(**changes: object) -> TrainingResults:
    phases = (
        phase("cnn", CNN),
        phase("transfer+mish", TRANSFER, start=""),
        phase("improved", IMPROVED, start="transfer+mish"),
    )
    return compute(stored(*phases, audit=AUDIT, **changes))


def test_the_whole_report_is_as_it_was_read_and_approved() -> None:
    text = markdown(_results())
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("cnn",), ()),
        (("cnn", "transfer"), (("cnn", "transfer"),)),
        (
            ("cnn", "transfer", "finetune", "transfer+mish", "improved"),
            (
                ("cnn", "transfer"),
                ("transfer", "finetune"),
                ("cnn", "transfer+mish"),
                ("finetune", "improved"),
                ("transfer+mish", "improved"),
            ),
        ),
    ],
)
def test_each_phase_is_held_against_what_it_should_beat(
    names: tuple[str, ...], expected: tuple[tuple[str, str], ...]
) -> None:
    assert pairs(names) == expected


def test_a_difference_beyond_chance_and_one_within_it_read_so() -> None:
    first, second = _results().comparisons
    assert comparison(first, "test") == (
        "Beyond chance, **transfer+mish** is better than **cnn**: of 90 test images, 26 are named "
        "rightly by transfer+mish alone, 6 by cnn alone: +22.2 points (+10.3 to +33.1), p = "
        "0.00054."
    )
    assert comparison(second, "test").startswith(
        "These images cannot tell **improved** and **transfer+mish** apart: of 90 test images, 1 "
        "is named rightly by improved alone, 0 by transfer+mish alone: +1.1 points"
    )


def test_without_a_test_set_it_says_that_validation_is_optimistic() -> None:
    made = compute(stored(phase("cnn", CNN, test=False), head=head(data=data(test_images=0))))
    text = markdown(made)
    assert "# cnn names 66.7% of 90 validation images rightly" in text
    assert "a little optimistic" in text


def test_a_training_that_is_not_complete_says_so_first() -> None:
    failure = FailureRecord(SCHEMA_VERSION, "improved", Failure(FailureKind.MEMORY, "no room", ""))
    text = markdown(compute(stored(phase("cnn", CNN), failures=(failure,))))
    assert "**This training is not complete**: no model yet of improved, transfer+mish." in text
    assert "- **improved**: no room" in text


def test_the_command_that_makes_it_again_leaves_nothing_out() -> None:
    wanted: TrainConfig = config(images=300, skip_bad=True, audit_data=True, seed=7)
    text = markdown(compute(stored(phase("cnn", CNN), head=head(wanted))))
    assert (
        "leafbench train --phase cnn --phase improved --data data/leaves --variant in_model_cache "
        "--epochs 50 --batch-size 32 --image-size 224 --seed 7 --images 300 --backbone "
        "efficientnet_lite0 --weights imagenet --skip-bad --audit-data"
    ) in text


def test_a_folder_gets_report_figures_summary_and_cards(tmp_path: Path) -> None:
    made = head(config(phases=("cnn",)))
    (tmp_path / "training.json").write_bytes(encode(made))
    finish(tmp_path, phase("cnn", CNN))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").write_bytes(b"of a phase that is gone")
    make(tmp_path)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "confusion-cnn.png",
        "curves.png",
        "reliability.png",
    ]
    summary = json.loads((tmp_path / "summary.json").read_bytes())
    assert summary["phases"][0]["parts"][0]["evaluation"]["accuracy"]["value"] == 60 / 90
    card = (tmp_path / "cnn" / "card.md").read_text()
    assert card.startswith("# cnn: a classifier of 3 kinds of leaves\n")
    assert "It knows 3 classes and no others" in card


def test_values_are_those_of_the_records() -> None:
    found = _results()
    assert [item.name for item in found.phases] == ["cnn", "transfer+mish", "improved"]
    assert (found.part, found.untrained) == ("test", ())
    assert replace(found, audit=None).phases[0].headline.part == "test"


def test_the_title_has_the_phase_that_validation_chose_not_the_test() -> None:
    better = phase("cnn", CNN)
    worse = replace(better.evaluation.parts[1], evaluation=better.evaluation.parts[0].evaluation)
    lucky = phase("improved", IMPROVED)
    parts = (lucky.evaluation.parts[0], worse)
    lucky = replace(lucky, evaluation=replace(lucky.evaluation, parts=parts))
    assert chosen(compute(stored(better, lucky)).phases).name == "cnn"
    assert chosen(compute(stored(better, phase("improved", CNN))).phases).name == "improved"
