from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.gate.asked import Asked


def test_a_gate_refuses_a_suite_that_emulates_its_device(tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'device = "emulated:step=51ms"\nvariants = ["default", "in_model"]\n'
        "blocks = 1\nepochs = 2\nbatch_size = 8\nimage_size = 64\n",
        encoding="utf-8",
    )
    asked = Asked("HEAD", tmp_path, (), suite=str(suite))
    with pytest.raises(ConfigError, match="emulates a device, and a gate compares trainings"):
        asked.config()
