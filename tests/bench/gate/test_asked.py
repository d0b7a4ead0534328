from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.gate.asked import Asked
from bench.gate.metrics import Metric


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


@pytest.mark.parametrize(
    ("training", "named", "said"),
    [
        (None, "in_modle.epoch=8%", "in_modle, which is not compared. Did you mean 'in_model'"),
        (None, "plain.epoch=8%", "plain, which is not compared. Compared: in_model."),
        ("python train.py", "in_model.epoch=8%", "Compared: command."),
    ],
)
def test_a_threshold_of_what_is_not_compared_is_refused(
    training: str | None, named: str, said: str, tmp_path: Path
) -> None:
    asked = Asked("HEAD", tmp_path, (), training=training, thresholds=(named,))
    with pytest.raises(ConfigError) as caught:
        asked.options()
    assert said in str(caught.value)


def test_a_suite_may_have_thresholds_of_variants_that_are_left_out_today(tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'variants = ["in_model", "plain"]\nblocks = 1\nepochs = 2\nbatch_size = 8\n'
        'image_size = 64\n[gate.variant.plain.epoch]\nrelative = "8%"\n',
        encoding="utf-8",
    )
    chosen = Asked("HEAD", tmp_path, (), suite=str(suite), overrides={"variants": "in_model"})
    assert chosen.options().thresholds.of("plain", Metric.EPOCH).relative == 0.08
