"""A GPU's samples: from the tool's lines, and from a tool of ours that prints them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bench import gpu
from bench.gpu import MIB, PERIOD_MS, GpuMeans
from bench.schema import GpuUse

LINES = "97, 1024, 1755\n45, 2048, 1410\n"
USE = GpuUse(PERIOD_MS, (97, 45), (1024 * MIB, 2048 * MIB), (1755, 1410))


def test_each_line_is_a_sample() -> None:
    assert gpu.parse(LINES) == USE


def test_a_line_that_was_cut_off_is_none() -> None:
    assert gpu.parse(LINES + "12, 20") == USE


def test_what_the_driver_does_not_tell_is_empty_and_no_zero() -> None:
    found = gpu.parse("[N/A], 512, 900\n")
    assert found == GpuUse(PERIOD_MS, (), (512 * MIB,), (900,))
    assert gpu.means([found]) == GpuMeans(None, 512 * MIB, 900.0)


@given(st.text())
def test_anything_else_is_no_sample_and_no_crash(text: str) -> None:
    found = gpu.parse(text)
    assert found is None or found.busy_percent or found.memory_bytes or found.clock_mhz


def test_means_are_over_all_samples_and_memory_is_the_most() -> None:
    other = GpuUse(PERIOD_MS, (10,), (MIB,), (1000,))
    found = gpu.means([USE, other])
    assert found == GpuMeans((0.97 + 0.45 + 0.10) / 3, 2048 * MIB, (1755 + 1410 + 1000) / 3)
    assert gpu.means([]) is None


def test_the_tool_runs_beside_the_block_and_is_read_behind_it(tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    os.mkfifo(printed)
    program = (
        f"import signal; print({LINES!r}, end='', flush=True); "
        f"open({str(printed)!r}, 'w').close(); signal.pause()"
    )
    with gpu.sampling([sys.executable, "-c", program]) as sampled:
        assert printed.read_text() == ""  # returns when the other side has printed
        assert sampled.use is None
    assert sampled.use == USE


def test_without_the_tool_nothing_is_sampled() -> None:
    with gpu.sampling(["no-such-tool-here"]) as sampled:
        pass
    assert sampled.use is None
