"""The table of our loaders against the alternatives: from records alone."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.results import compute
from bench.schema import ClaimSpec
from bench.variants import VARIANTS
from benchmarks import loaders
from benchmarks.readme_section import README
from tests.bench.samples import run_record, trial_records

OURS = ("in_model", "in_model_cache")
EPOCH_S = {"in_model": 2.0, "in_model_cache": 1.0, "py_dataset": 4.0, "autotuned_cache": 0.5}


def _measured(scale: float, blocks: int = 3) -> loaders.Measured:
    claim = ClaimSpec(1.0, *OURS)
    run = run_record(variants=tuple(EPOCH_S), blocks=blocks, claim=claim)
    seconds = {name: scale * value for name, value in EPOCH_S.items()}
    trials = trial_records(run, seconds, block_noise=0, epoch_noise=0)
    return loaders.Measured(compute(run, trials, ()), trials)


def _cells(table: str, name: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"| `{name}`"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_alternative_is_held_against_ours_with_the_same_cache() -> None:
    made = loaders.section(_measured(1.0), _measured(10.0), OURS)
    images = _measured(1.0).results.run.data.train_images
    name, rate, alone, epoch, training, _wait = _cells(made, "py_dataset")
    assert name == "`py_dataset`"
    assert rate.startswith(f"{images / 4:,.0f} (")
    assert alone.startswith("0.50x (0.5000 to 0.5000)")
    assert epoch.startswith("40.0 s (40.0 s to 40.0 s)")
    assert training.startswith("0.50x")
    cached = _cells(made, "autotuned_cache")
    assert cached[0] == "`autotuned_cache`, cached"
    assert cached[2].startswith("2.00x")
    assert _cells(made, "in_model_cache")[2] == "1 (ours)"
    assert f"- `py_dataset`: {VARIANTS['py_dataset'].summary}" in made


def test_what_two_blocks_cannot_say_is_not_said() -> None:
    made = loaders.section(_measured(1.0, blocks=2), _measured(1.0, blocks=2), OURS)
    assert _cells(made, "py_dataset")[2] == "0.50x (no interval)"
    assert _cells(made, "py_dataset")[1].endswith("(no interval)")


def test_the_section_of_the_readme_is_replaced_and_nothing_else() -> None:
    before = f"above\n{loaders.SECTION.begin}\nold\n{loaders.SECTION.end}\nbelow\n"
    after = loaders.SECTION.replaced(before, "new")
    assert after == f"above\n{loaders.SECTION.begin}\n\nnew\n\n{loaders.SECTION.end}\nbelow\n"
    assert loaders.SECTION.replaced(after, "new") == after
    with pytest.raises(BenchError, match="Expected the lines"):
        loaders.SECTION.replaced("no marks", "new")
    assert loaders.SECTION.begin in README.read_text(encoding="utf-8")
