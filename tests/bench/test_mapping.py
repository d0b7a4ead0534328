"""Folders of emulated runs become a claim map, or a sentence that says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli import main
from bench.errors import ConfigError
from bench.mapping import of_runs
from bench.schema import ClaimSpec
from tests.bench.emulated_samples import MAKE_MS, write_emulated

STEPS_MS = (1000, 100, 30, 5)
Runs = Callable[..., list[Path]]


@pytest.fixture
def sweep(tmp_path: Path) -> list[Path]:
    names = [f"emulated:step={step}ms" for step in STEPS_MS]
    return [write_emulated(tmp_path / f"run{k}", name) for k, name in enumerate(names)]


def refused(folders: list[Path]) -> str:
    with pytest.raises(ConfigError) as caught:
        of_runs(folders)
    return str(caught.value)


def test_a_sweep_becomes_a_map_from_the_slowest_device_to_the_fastest(sweep: list[Path]) -> None:
    (found,) = of_runs(sweep[::-1]).maps
    assert [point.images_per_s for point in found.points] == [
        64,
        640,
        pytest.approx(64 / 0.03),
        12800,
    ]
    for step, point in zip(STEPS_MS, found.points, strict=True):
        expected = found.expected(point.images_per_s)
        assert expected == pytest.approx(point.speedup.median, rel=0.02), step
    assert found.loaders is not None
    assert found.loaders.speedup == pytest.approx(MAKE_MS["default"] / MAKE_MS["in_model"])
    assert found.crossing.at is not None
    assert 640 < found.crossing.at < 64 / 0.03


def test_our_profiles_that_know_the_phase_are_on_the_map(sweep: list[Path]) -> None:
    (found,) = of_runs(sweep).maps
    known = {item.name: (item.low, item.high) for item in found.known}
    assert known["images_1250"] == pytest.approx((1250, 1250))
    low, high = known["p100_class"]
    assert 400 < low < 1250 < high < 2000


def test_one_run_is_no_map(sweep: list[Path]) -> None:
    assert "needs 2 emulated runs or more, found 1" in refused(sweep[:1])


def test_a_measured_run_is_refused(sweep: list[Path]) -> None:
    reports = Path(__file__).parents[2] / "reports" / "cpu-2core-generated"
    assert "was measured on this machine's own device" in refused([sweep[0], reports])


def test_runs_that_differ_in_more_than_the_step_are_refused_by_key(
    sweep: list[Path], tmp_path: Path
) -> None:
    other = write_emulated(
        tmp_path / "other", "emulated:step=7ms,ahead=1,transfer=1ms", claim=ClaimSpec(5.0), seed=9
    )
    says = refused([sweep[0], other])
    assert "run0 and" in says
    for key in ("seed (1 against 9)", "claim (", "the batches that run ahead (2 against 1)"):
        assert key in says
    assert "the device's transfer (" in says


def test_the_same_speed_twice_is_refused(sweep: list[Path], tmp_path: Path) -> None:
    again = write_emulated(tmp_path / "again", "emulated:step=0.1s")
    assert "devices of one speed in phase cnn" in refused([*sweep, again])


def test_a_run_without_a_speedup_is_refused(sweep: list[Path]) -> None:
    for path in (sweep[1] / "trials").glob("*-default-*.json"):
        path.unlink()
    assert "has no speedup in phase cnn (" in refused(sweep)


def test_the_command_writes_the_map_and_says_the_verdict(
    sweep: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map"
    assert main(["claim-map", *map(str, sweep), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "emulated run" in said
    assert "in_model is 7 times as fast as default where the device trains more than" in said
    assert {path.name for path in out.iterdir()} == {
        *("claim-map.md", "claim-map.json", "claim-map-cnn.png")
    }
    assert json.loads((out / "claim-map.json").read_bytes())["emulated"] is True


def test_the_command_prints_json(sweep: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claim-map", *map(str, sweep), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["maps"]
    assert [round(point["images_per_s"]) for point in found["points"]] == [64, 640, 2133, 12800]
    assert found["crossing_images_per_s"]["earliest"] < found["crossing_images_per_s"]["latest"]
