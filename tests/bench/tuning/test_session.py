"""A study with a fake executor: what is trained in which order, what is told, what is kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bench.codec import decode
from bench.errors import ConfigError, PlanChangedError, StoreError
from bench.executor import failed_record
from bench.plan import trial_seed
from bench.report import tuning
from bench.requests import TrialRequest, WorkerFiles
from bench.schema import Failure, FailureKind, TrialRecord
from bench.tuning import head, session
from bench.tuning.results import compute
from bench.tuning.schema import StudyConfig
from bench.tuning.session import StudyTools
from bench.tuning.space import DEFAULT, Setting
from bench.tuning.store import read
from tests.bench.fakes import NOON, FakeExecutor, FakeProgress
from tests.bench.samples import environment
from tests.bench.tuning.study_samples import ListedProposer, reaching, settings, study_config

ROOT = Path(__file__).parents[3]
TRIED = settings(3)


@pytest.fixture(scope="module")
def leaves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough images for a batch of 128."""
    root = tmp_path_factory.mktemp("leaves")
    for label, name in enumerate(("Apple", "Corn")):
        (root / name).mkdir()
        for index in range(90):
            pixel = Image.new("RGB", (4, 4), (label * 99, index * 2, 7))
            pixel.save(root / name / f"{index:02d}.png")
    return root


def accuracy_of(setting: Setting) -> float:
    return {TRIED[0]: 0.6, TRIED[1]: 0.9, TRIED[2]: 0.7}.get(setting, 0.8)


def answer(request: TrialRequest) -> TrialRecord:
    [trained] = {s for s in (*TRIED, DEFAULT) if _is(request, s)}
    return reaching(request.spec, accuracy_of(trained))


def _is(request: TrialRequest, setting: Setting) -> bool:
    spec = request.spec
    return (setting.phase, setting.batch_size) == (spec.phase, spec.batch_size)


class Bench:
    """The tools of a study, and what became of them."""

    def __init__(
        self, on_trial: Callable[[TrialRequest], TrialRecord | None] = answer, **changes: Any
    ) -> None:
        self.executor = FakeExecutor(on_trial=on_trial)
        self.proposer = ListedProposer(TRIED)
        self.progress = FakeProgress()
        made = StudyTools(
            executor=lambda _logs: self.executor,
            proposer=lambda _config, _store: self.proposer,
            progress=self.progress,
            environment=environment,
            now=lambda: NOON,
            report=lambda folder: compute(read(folder).study, read(folder).trials),
        )
        self.tools = replace(made, **changes)


def config(leaves: Path, **changes: Any) -> StudyConfig:
    return study_config(**{"data": str(leaves), "trials": 3, "epochs": 3, "images": None} | changes)


SEARCHED = ["search-00", "search-01", "search-02"]
CHECKED = [f"check-{seed}-{role}" for seed in (1, 2, 3) for role in ("default", "best")]


def test_it_searches_then_checks_the_best_against_the_default(leaves: Path, tmp_path: Path) -> None:
    bench = Bench()
    outcome = session.start(config(leaves), tmp_path / "s", ("leafbench", "tune"), bench.tools)
    assert bench.executor.seen == SEARCHED + CHECKED
    assert outcome.exit_code == 0
    assert outcome.results is not None
    assert outcome.results.complete
    assert outcome.results.best is not None
    assert outcome.results.best.setting == TRIED[1]
    assert outcome.results.check.difference is not None
    assert outcome.results.check.difference.value == pytest.approx(0.1)


def test_the_oracle_is_told_every_accuracy_in_its_order(leaves: Path, tmp_path: Path) -> None:
    bench = Bench()
    session.start(config(leaves), tmp_path / "s", (), bench.tools)
    told = bench.proposer.told
    assert [len(answers) for answers in told] == [0, 1, 2]
    assert [item.accuracy for item in told[-1]] == [pytest.approx(0.6), pytest.approx(0.9)]


def test_a_failed_training_is_a_record_and_an_answer_and_the_study_goes_on(
    leaves: Path, tmp_path: Path
) -> None:
    def on_trial(request: TrialRequest) -> TrialRecord:
        if request.spec.name != "search-01":
            return answer(request)
        why = Failure(FailureKind.MEMORY, "killed by the system", "...")
        return failed_record(request.spec, why, "2026-01-02T12:00:00+00:00", 1)

    bench = Bench(on_trial)
    outcome = session.start(config(leaves), tmp_path / "s", (), bench.tools)
    assert bench.proposer.told[-1][1].accuracy is None
    assert bench.proposer.told[-1][1].why == "memory: killed by the system"
    assert (tmp_path / "s" / "trials" / "search-01.json").is_file()
    assert outcome.exit_code == 1
    assert outcome.results is not None
    assert outcome.results.best is not None
    assert outcome.results.best.setting == TRIED[2]


def test_search_has_one_seed_and_each_check_another(leaves: Path, tmp_path: Path) -> None:
    session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    specs = [record.spec for record in read(tmp_path / "s").trials]
    assert {s.seed for s in specs if s.block == 0} == {trial_seed(0, 0)}
    checks = {s.block: s.seed for s in specs if s.block}
    assert len({trial_seed(0, 0), *checks.values()}) == 4
    assert {s.variant for s in specs} == {"in_model_cache"}


def test_no_training_sees_the_test_images(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder({"training/oak": 90, "training/elm": 90, "test/oak": 3, "test/elm": 3})
    seen: list[WorkerFiles] = []

    def on_trial(request: TrialRequest) -> TrialRecord:
        seen.append(decode(Path(request.files).read_bytes(), WorkerFiles, "files"))
        return answer(request)

    session.start(config(root), tmp_path / "s", (), Bench(on_trial).tools)
    assert read(tmp_path / "s").study.data.test_images == 6
    assert seen
    assert all(files.test == () for files in seen)


@pytest.mark.parametrize("stopped", ["search-00", "search-02", "check-2-default"])
def test_an_interrupted_study_goes_on_behind_its_last_record(
    leaves: Path, tmp_path: Path, stopped: str
) -> None:
    def on_trial(request: TrialRequest) -> TrialRecord:
        if request.spec.name == stopped:
            raise KeyboardInterrupt
        return answer(request)

    first, second = Bench(on_trial), Bench()
    outcome = session.start(config(leaves), tmp_path / "s", (), first.tools)
    assert outcome.exit_code == 130
    assert not (tmp_path / "s" / "work").exists()
    done = first.executor.seen[:-1]
    assert (outcome.results is None) == (not done)
    ended = session.resume(tmp_path / "s", second.tools)
    assert done + second.executor.seen == SEARCHED + CHECKED
    whole = session.start(config(leaves), tmp_path / "whole", (), Bench().tools)
    assert ended.results is not None
    assert whole.results is not None
    assert ended.results.trainings == whole.results.trainings
    assert ended.results.check == whole.results.check


def test_a_lost_and_a_half_written_record_are_trained_again(leaves: Path, tmp_path: Path) -> None:
    session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    trials = tmp_path / "s" / "trials"
    (trials / "search-01.json").write_bytes((trials / "search-01.json").read_bytes()[:99])
    (trials / "check-3-best.json").unlink()
    bench = Bench()
    outcome = session.resume(tmp_path / "s", bench.tools)
    assert bench.executor.seen == ["search-01", "check-3-best"]
    assert any("search-01.json is not a whole JSON record" in note for note in bench.progress.notes)
    assert outcome.results is not None
    assert outcome.results.complete


def test_a_finished_study_trains_nothing_when_it_goes_on(leaves: Path, tmp_path: Path) -> None:
    session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    bench = Bench()
    session.resume(tmp_path / "s", bench.tools)
    assert bench.executor.seen == []
    assert bench.proposer.told == []


def test_other_images_are_refused_with_what_differs(leaves: Path, tmp_path: Path) -> None:
    copy = tmp_path / "leaves"
    for image in leaves.rglob("*.png"):
        (copy / image.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / image.parent.name / image.name).write_bytes(image.read_bytes())
    session.start(config(copy), tmp_path / "s", (), Bench().tools)
    Image.new("RGB", (4, 4)).save(copy / "Apple" / "00.png")
    with pytest.raises(PlanChangedError, match=r"Study s cannot go on[^$]*images, fingerprint: "):
        session.resume(tmp_path / "s", Bench().tools)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("proposer_name", lambda: "keras-tuner 9", "proposer: keras-tuner .* -> keras-tuner 9"),
        ("_space", lambda: {"dropout": (0.0,)}, "space: "),
        ("leafbench_version", lambda: "9.9", "leafbench: .* -> 9.9"),
    ],
)
def test_another_space_or_version_is_refused(
    leaves: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: Callable[[], object],
    words: str,
) -> None:
    session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    monkeypatch.setattr(head, name, value)
    with pytest.raises(PlanChangedError, match=words):
        session.resume(tmp_path / "s", Bench().tools)


def test_another_machine_is_refused(leaves: Path, tmp_path: Path) -> None:
    session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    other = Bench(environment=lambda: environment(cores=64))
    with pytest.raises(PlanChangedError, match="cores: 2 -> 64"):
        session.resume(tmp_path / "s", other.tools)


def test_where_the_default_wins_only_it_is_trained_again(leaves: Path, tmp_path: Path) -> None:
    bench = Bench()
    bench.proposer = ListedProposer([TRIED[0], DEFAULT])
    outcome = session.start(config(leaves, trials=2), tmp_path / "s", (), bench.tools)
    assert bench.executor.seen[2:] == ["check-1-default", "check-2-default", "check-3-default"]
    assert outcome.results is not None
    assert outcome.results.complete


def test_a_space_that_is_used_up_ends_the_search(leaves: Path, tmp_path: Path) -> None:
    bench = Bench()
    session.start(config(leaves, trials=9), tmp_path / "s", (), bench.tools)
    assert bench.executor.seen == SEARCHED + CHECKED
    assert "KerasTuner has no other setting to propose." in bench.progress.notes


def test_too_few_images_for_the_largest_batch_are_refused_and_leave_nothing(
    leaves: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"batches of up to 128 images, and .* leaves \d+ to"):
        session.start(config(leaves, images=100), tmp_path / "s", (), Bench().tools)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("name", "words"), [("feature_cache", "needs a frozen backbone"), ("inmodel", "Unknown")]
)
def test_a_pipeline_that_the_cnn_cannot_have_is_refused(
    leaves: Path, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        session.start(config(leaves, variant=name), tmp_path / "s", (), Bench().tools)
    assert not (tmp_path / "s").exists()


def test_a_folder_that_is_taken_is_left_alone(leaves: Path, tmp_path: Path) -> None:
    session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    with pytest.raises(StoreError, match=r"holds a study already: .* --resume"):
        session.start(config(leaves), tmp_path / "s", (), Bench().tools)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="not empty"):
        session.start(config(leaves), tmp_path / "mine", (), Bench().tools)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_going_on_with_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such folder"):
        session.resume(tmp_path / "nowhere", Bench().tools)
    with pytest.raises(StoreError, match=r"there is no study.json in it"):
        session.resume(tmp_path, Bench().tools)


def test_a_study_that_another_process_holds_is_refused(leaves: Path, tmp_path: Path) -> None:
    def on_trial(request: TrialRequest) -> TrialRecord:
        with pytest.raises(StoreError, match="Another leafbench works on"):
            session.resume(tmp_path / "s", Bench().tools)
        return answer(request)

    bench = Bench(on_trial)
    session.start(config(leaves), tmp_path / "s", (), bench.tools)
    assert len(bench.executor.seen) == 9


def test_each_training_is_told_with_what_it_reached(leaves: Path, tmp_path: Path) -> None:
    bench = Bench()
    session.start(config(leaves), tmp_path / "s", (), bench.tools)
    assert bench.progress.notes[1] == f"[2/9] search-01 ({TRIED[1].text}): 90.0% in 20 s"
    assert bench.progress.closed


def test_the_report_of_a_study_is_written(leaves: Path, tmp_path: Path) -> None:
    outcome = session.start(
        config(leaves), tmp_path / "s", ("leafbench", "tune"), Bench(report=tuning.make).tools
    )
    assert outcome.results is not None
    assert "3 trainings with an accuracy are too few" in (tmp_path / "s/report.md").read_text()


def test_nothing_that_a_study_imports_needs_keras_or_kerastuner() -> None:
    program = (
        "import sys, bench.tuning.commands, bench.tuning.session, bench.tuning.oracle\n"
        "import bench.report.tuning\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(done.stdout.split()) & {"keras", "tensorflow", "jax", "keras_tuner"} == set()
