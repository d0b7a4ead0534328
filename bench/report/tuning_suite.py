"""The best setting of a study as a suite that `leafbench run` takes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.report import formats
from bench.tuning.results import StudyResults

SUITE = "best.toml"
VARIANTS = ("default", "in_model", "in_model_cache")


def suite_toml(results: StudyResults) -> str:
    """The suite as TOML; empty if the study has no best setting."""
    best = results.best
    if best is None:
        return ""
    config = results.study.config
    images = "" if config.images is None else f"images = {config.images}\n"
    summary = f"the CNN with the best setting of the study {results.study.study_id}"
    return f"""\
# Written by leafbench tune: the best of {formats.plural(len(results.trainings), "setting")} tried,
# {best.setting.text}.
# Whether it is better than the default setting, the study's report says.
summary = {_toml(summary)}

data = {_toml(config.data)}
variants = {_toml(VARIANTS)}
phases = {_toml([best.setting.phase])}
blocks = 3
epochs = 3
{images}image_size = {config.image_size}
batch_size = {best.setting.batch_size}
seed = {config.seed}

[claim]
target = "7x"
baseline = "default"
candidate = "in_model"
"""


def _toml(value: str | Sequence[str]) -> str:
    """Strings and lists of them are in TOML what they are in JSON, but for \\u beyond 16 bits."""
    return json.dumps(value, ensure_ascii=False)
