"""`leafbench tune`: options to a study, what is printed, and the exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli import main
from bench.progress import Progress
from bench.report import tuning
from bench.requests import TrialRequest
from bench.schema import TrialRecord
from bench.tuning import commands
from bench.tuning.session import StudyTools
from bench.tuning.store import read
from tests.bench.fakes import NOON, FakeExecutor, crash
from tests.bench.samples import environment
from tests.bench.tuning.study_samples import ListedProposer, reaching, settings

TUNE = ["tune", "--data", "images", "--trials", "2", "--epochs", "2", "--image-size", "32"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(
    make_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder({"oak": 80, "elm": 80}, size=4)
    monkeypatch.chdir(tmp_path)


def well(request: TrialRequest) -> TrialRecord:
    return reaching(request.spec, 0.9)


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., TrialRecord]], None]:
    def use(on_trial: Callable[[TrialRequest], TrialRecord]) -> None:
        def fake_tools(progress: Progress) -> StudyTools:
            return StudyTools(
                executor=lambda _logs: FakeExecutor(on_trial=on_trial),
                proposer=lambda _config, _store: ListedProposer(settings(2)),
                progress=progress,
                environment=environment,
                now=lambda: NOON,
                report=tuning.make,
            )

        monkeypatch.setattr(commands, "real_tools", fake_tools)
        monkeypatch.setattr(commands, "_interrupt_on_terminate", lambda: None)

    return use


def test_it_says_what_matters_what_is_best_and_where_the_report_is(trains, capsys) -> None:
    trains(well)
    assert main([*TUNE, "--out", "study"]) == 0
    said = capsys.readouterr()
    assert "Which hyperparameters matter cannot be told: 2 trainings" in said.out
    assert "The best setting found (" in said.out
    assert said.out.rstrip().endswith("Report: study/report.md")
    assert "[8/8] check-3-best" in said.err
    assert sorted(path.name for path in Path("study").iterdir()) == [
        "best.toml",
        "figures",
        "logs",
        "report.md",
        "study.json",
        "trials",
    ]


def test_options_become_the_study(trains) -> None:
    trains(well)
    main([*TUNE, "--seed", "4", "--images", "156", "--variant", "in_model", "--out", "study"])
    config = read(Path("study")).study.config
    assert (config.data, config.trials, config.epochs, config.image_size) == ("images", 2, 2, 32)
    assert (config.seed, config.images, config.variant) == (4, 156, "in_model")


def test_without_options_it_is_the_default_study(trains, monkeypatch) -> None:
    trains(well)
    monkeypatch.setitem(commands.DEFAULTS, "data", "images")
    assert main(["tune"]) == 0
    study = read(Path("reports/20260102-120000-tune")).study
    assert (study.config.trials, study.config.image_size, study.config.seed) == (20, 64, 0)
    assert study.config.variant == "in_model_cache"


def test_it_can_answer_a_program(trains, capsys) -> None:
    trains(well)
    assert main([*TUNE, "--out", "study", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["check"]["difference"]["value"] == pytest.approx(0)
    assert [item["accuracy"] for item in said["trainings"]] == pytest.approx([0.9, 0.9])
    assert said["study"]["config"]["trials"] == 2


def test_failed_trainings_are_exit_status_1(trains) -> None:
    trains(crash)
    assert main([*TUNE, "--out", "study"]) == 1
    assert "No training ended with an accuracy" in Path("study/report.md").read_text()
    assert not Path("study/best.toml").exists()


def test_an_interrupt_says_how_to_go_on_and_it_does(trains, capsys) -> None:
    def interrupted(request: TrialRequest) -> TrialRecord:
        if request.spec.name == "search-01":
            raise KeyboardInterrupt
        return well(request)

    trains(interrupted)
    assert main([*TUNE, "--out", "study"]) == 130
    assert "Go on with: leafbench tune --resume study" in capsys.readouterr().err
    trains(well)
    assert main(["tune", "--resume", "study"]) == 0
    assert "[8/8] check-3-best" in capsys.readouterr().err


def test_resume_takes_no_other_setting(trains, capsys) -> None:
    trains(well)
    main([*TUNE, "--out", "study"])
    assert main(["tune", "--resume", "study", "--trials", "9", "--image-size", "32"]) == 2
    assert "leave out --image-size, --trials" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trials", "0"], "0 is not in the range"),
        (["--image-size", "8"], "8 is not in the range"),
        (["--data", "nowhere"], "There is no folder of images at nowhere"),
        (["--variant", "nonsense"], "nonsense"),
        (["--images", "20"], "use more images"),
        (["--resume", "nowhere"], "is not a study of leafbench"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_status_2(trains, capsys, options, words) -> None:
    trains(well)
    given = options if "--resume" in options else [*TUNE, "--out", "study", *options]
    assert main(given if given[0] == "tune" else ["tune", *given]) == 2
    assert words in capsys.readouterr().err
    assert not Path("study").exists()
