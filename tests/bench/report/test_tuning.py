"""The report of a study, as a whole under a golden file and by what it says of hard cases.

After a change on purpose run `LEAFBENCH_UPDATE_GOLDEN=1 pytest tests/bench/report`, and read the
diff.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.codec import encode
from bench.config import make_config
from bench.report import tuning
from bench.report.tuning_figures import figures
from bench.report.tuning_suite import suite_toml
from bench.report.tuning_words import sentences
from bench.schema import TrialRecord
from bench.tuning.results import StudyResults, compute
from bench.tuning.space import DEFAULT, Setting
from tests.bench.tuning.study_samples import by_learning_rate, study_record, study_records

GOLDEN = Path(__file__).parent / "golden" / "tuning.md"
STUDY = study_record()
RECORDS = study_records(STUDY, by_learning_rate, noise=0.04, failing=(3,))


def results(records: Iterable[TrialRecord] = RECORDS) -> StudyResults:
    return compute(STUDY, records)


def flat(_setting: Setting) -> float:
    return 0.6


def searched(records: Iterable[TrialRecord] = RECORDS) -> list[TrialRecord]:
    return [record for record in records if record.spec.block == 0]


def test_the_whole_report_is_as_it_was_read_and_approved() -> None:
    text = tuning.markdown(results())
    if os.environ.get("LEAFBENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_it_names_what_was_planted() -> None:
    text = tuning.markdown(results())
    assert text.startswith("# Which hyperparameters of the CNN matter here? **Learning rate**\n")
    assert "What dropout" in text
    assert "which is no proof that they do not matter" in text


def test_noise_names_nothing() -> None:
    found = results(study_records(STUDY, flat, noise=0.02))
    assert "**Nothing can be told**" in tuning.markdown(found)
    assert sentences(found)[0].endswith("nothing can be told.")


def test_a_gain_within_noise_is_not_called_one() -> None:
    said = sentences(results(study_records(STUDY, flat, noise=0.02)))[-1]
    assert said.endswith("so whether it is better than the default cannot be told.")


def test_few_trainings_give_no_shares_and_no_figure_of_them() -> None:
    found = results(searched()[:8])
    assert "Which hyperparameters matter cannot be told: 7 trainings" in sentences(found)[0]
    assert list(figures(found)) == ["trials.png"]
    assert "**This study is not complete**" in tuning.markdown(found)


def test_a_study_that_learnt_nothing_says_so() -> None:
    found = results(study_records(STUDY, lambda _: 0.35, noise=0.005))
    assert "no training learnt more than to name the most frequent class" in sentences(found)[0]
    assert "no more than always naming the most frequent class could (34.0%)" in sentences(found)[1]


def test_nothing_but_failures_is_a_report_too() -> None:
    found = results(study_records(STUDY, flat, failing=range(24), checked=False))
    assert sentences(found)[-1].startswith("No training ended with an accuracy")
    assert not suite_toml(found)
    assert figures(found) == {}
    assert tuning.markdown(found).count("| memory: killed by the system |") == 24


def test_levels_that_no_draw_fell_on_are_named() -> None:
    assert "Not tried" not in tuning.markdown(results())
    only = [
        r for r in RECORDS if r.spec.batch_size != 32 and "learning_rate=0.01" not in r.spec.phase
    ]
    assert "Not tried, because no draw fell on it: learning rate 0.01, batch size 32.\n" in (
        tuning.markdown(results(only))
    )


def test_failures_are_listed_with_their_reason() -> None:
    text = tuning.markdown(results())
    assert "**1 training failed**; see [below](#failed-trainings)." in text
    assert "| memory: killed by the system |" in text


def test_the_default_as_the_best_setting_is_said() -> None:
    first = searched()[0]
    phase, batch = DEFAULT.phase, DEFAULT.batch_size
    default = replace(first, spec=replace(first.spec, phase=phase, batch_size=batch))
    best = replace(
        default, epochs=tuple(replace(epoch, val_accuracy=0.99) for epoch in default.epochs)
    )
    assert sentences(results([best, *searched()[1:]]))[-1].endswith("; it is the default one.")


def test_figures_are_images_that_show_something() -> None:
    drawn = figures(results())
    assert sorted(drawn) == ["importance.png", "trials.png"]
    for data in drawn.values():
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        assert pixels.shape[1] == 800
        assert 0.01 < (pixels < 128).mean() < 0.5


@pytest.mark.parametrize("images", [768, None])
def test_the_suite_is_one_that_run_takes(tmp_path: Path, images: int | None) -> None:
    found = compute(study_record(images=images), RECORDS)
    assert found.best is not None
    path = tmp_path / "best.toml"
    path.write_text(suite_toml(found), encoding="utf-8")
    config = make_config(str(path))
    assert config.phases == (found.best.setting.phase,)
    assert config.batch_size == found.best.setting.batch_size
    assert config.images == images
    assert config.variants == ("default", "in_model", "in_model_cache")
    assert (config.data, config.image_size, config.seed) == ("data/leaves", 64, 0)
    assert (config.blocks, config.epochs) == (3, 3)
    assert config.claim.target == 7


def test_a_folder_with_odd_characters_is_still_toml(tmp_path: Path) -> None:
    found = compute(study_record(data='my "leaves"\\🍁'), RECORDS)
    path = tmp_path / "best.toml"
    path.write_text(suite_toml(found), encoding="utf-8")
    assert make_config(str(path)).data == 'my "leaves"\\🍁'


def test_make_writes_report_figures_and_suite(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    (tmp_path / "study.json").write_bytes(encode(STUDY))
    for record in RECORDS:
        (tmp_path / "trials" / f"{record.spec.name}.json").write_bytes(encode(record))
    found = tuning.make(tmp_path)
    assert found == results()
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == tuning.markdown(found)
    assert (tmp_path / "best.toml").read_text(encoding="utf-8") == suite_toml(found)
    assert len(list((tmp_path / "figures").glob("*.png"))) == 2
