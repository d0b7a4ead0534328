from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate, chain
from pathlib import Path

import pytest

from bench import doctor, environment
from bench.doctor import GIB, Severity
from bench.schema import Environment
from tests.bench.samples import environment as sample


def clock(durations: list[int]) -> Callable[[], int]:
    """A timer under which each piece of work takes one of `durations`."""
    ticks = accumulate(chain.from_iterable((0, duration) for duration in durations))
    return lambda: next(ticks)


def test_steady_work_has_no_noise() -> None:
    assert environment.noise(clock([100] * 8), repeats=8) == 0.0


def test_noise_is_the_interquartile_range_over_the_median() -> None:
    assert environment.noise(clock([90, 100, 100, 110, 80, 120, 100]), repeats=7) == 0.1


def test_one_outlier_is_no_noise() -> None:
    assert environment.noise(clock([100] * 39 + [100_000]), repeats=40) == 0.0


def test_a_clock_that_stands_still_is_no_division_by_zero() -> None:
    assert environment.spread([0, 0, 0]) == 0.0


@pytest.mark.parametrize(
    ("quota", "expected"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)]
)
def test_cores_are_limited_by_the_quota(tmp_path: Path, quota: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert environment.cores(tmp_path / "cpu.max") == (
        expected or environment.cores(tmp_path / "missing")
    )


def test_memory_is_limited_by_the_container(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert environment.memory_bytes(tmp_path / "memory.max") == GIB
    (tmp_path / "memory.max").write_text("max\n")
    assert environment.memory_bytes(tmp_path / "memory.max") > GIB / 4


def test_processor_is_named_as_its_maker_does(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Example: 9000\n")
    assert environment.cpu_model(tmp_path / "cpuinfo") == "Example: 9000"
    assert environment.cpu_model(tmp_path / "missing")


def test_gpus_are_those_that_the_driver_lists() -> None:
    assert environment.gpus(lambda: "NVIDIA X, 40960 MiB\nNVIDIA Y, 1 MiB\n") == (
        "NVIDIA X, 40960 MiB",
        "NVIDIA Y, 1 MiB",
    )
    assert environment.gpus(lambda: "") == ()


def test_this_machine_can_be_read() -> None:
    found = environment.read()
    assert found.cores >= 1
    assert found.noise >= 0
    assert found.versions["keras"]


def test_a_machine_matches_itself_whatever_the_moment() -> None:
    noisy = sample(noise=0.9, load_1min=30.0, memory_bytes=8 * GIB + 4096, platform="Linux-6.2")
    assert environment.must_match(sample(), noisy) == ()


def test_what_must_match_and_does_not_is_named() -> None:
    other = sample(cpu_model="Other", gpus=("X",), versions={"keras": "4", "scipy": "1"})
    found = {d.key: (d.ours, d.theirs) for d in environment.must_match(sample(), other)}
    assert found == {
        "cpu_model": ("Example CPU @ 2.5GHz", "Other"),
        "gpus": ("none", "X"),
        "keras": ("3.13.0", "4"),
        "numpy": ("2.1.0", "none"),
        "tensorflow": ("2.20.0", "none"),
        "scipy": ("none", "1"),
    }


HEALTHY = sample(gpus=("X",), memory_bytes=64 * GIB)


def advice(machine: Environment, disk: int = 99 * GIB, missing: str = "") -> list[str]:
    found = doctor._advice(machine, disk, lambda module: module != missing)
    return [f"{item.severity}: {item.what} | {item.remedy}" for item in found]


def test_healthy_machine_needs_nothing() -> None:
    assert advice(HEALTHY) == []


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (replace(HEALTHY, gpus=()), "warning: no GPU"),
        (replace(HEALTHY, cores=1), "warning: one core"),
        (replace(HEALTHY, noise=0.2), "warning: the machine is noisy: the same work takes 20%"),
        (replace(HEALTHY, load_1min=3.0), "warning: a load of 3.0 on 2 cores"),
        (replace(HEALTHY, memory_bytes=2 * GIB), "problem: 2.0 GiB of memory"),
        (replace(HEALTHY, memory_bytes=6 * GIB), "warning: the decoded images of the suite paper"),
    ],
)
def test_each_lack_is_told_with_its_remedy(machine: Environment, expected: str) -> None:
    (found,) = advice(machine)
    assert found.startswith(expected)
    assert not found.endswith("| ")


def test_missing_package_and_full_disk_are_told() -> None:
    (found,) = advice(HEALTHY, missing="scipy")
    assert found.startswith("problem: scipy is not installed: the variant default")
    (found,) = advice(HEALTHY, disk=GIB)
    assert found.startswith("warning: 1.0 GiB of disk free")


def test_only_a_problem_is_unhealthy() -> None:
    warning = doctor.Advice(Severity.WARNING, "a", "b")
    problem = doctor.Advice(Severity.PROBLEM, "a", "b")
    assert doctor.Diagnosis(HEALTHY, 1, (warning,)).healthy
    assert not doctor.Diagnosis(HEALTHY, 1, (warning, problem)).healthy
