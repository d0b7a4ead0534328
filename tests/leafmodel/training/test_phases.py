from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leafmodel.errors import ModelError
from leafmodel.training.improvements import SHAPING, Improvement
from leafmodel.training.phases import PHASES, Phase, phase, settings, start_of

RATES = {Improvement.REDUCE_LR, Improvement.TRIANGULAR, Improvement.TRIANGULAR2}
FREE = [item for item in Improvement if item not in RATES]
VALUES = {
    "dense_units": st.integers(0, 65_536),
    "dropout": st.floats(0, 0.95),
    "learning_rate": st.floats(1e-9, 9.99),
    "patience": st.integers(1, 10_000),
    "unfreeze": st.integers(0, 7),
}


@st.composite
def written(draw: Any) -> tuple[str, str, set[Improvement], dict[str, Any]]:
    """A phase's text, and what it was written from."""
    name = draw(st.sampled_from(list(PHASES)))
    chosen = draw(st.sets(st.sampled_from(FREE)))
    whole = {*chosen, *PHASES[name].improvements}
    assume(not whole >= {Improvement.NO_DENSE, Improvement.MISH})
    names = draw(st.sets(st.sampled_from([s for s in VALUES if name != "cnn" or s != "unfreeze"])))
    values = {setting: draw(VALUES[setting]) for setting in sorted(names)}
    parts = [*chosen, *(f"{setting}={value!r}" for setting, value in values.items())]
    parts = [part for part in draw(st.permutations(parts)) if "e+" not in part]
    return "+".join([name, *parts]), name, chosen, values


@given(written())
def test_a_written_phase_is_the_listed_one_with_what_was_written(
    given_: tuple[str, str, set[Improvement], dict[str, Any]],
) -> None:
    text, name, chosen, values = given_
    found, listed = phase(text), PHASES[name]
    assert found.name == text
    assert set(found.improvements) == {*listed.improvements, *chosen}
    assert list(found.improvements) == [i for i in Improvement if found.has(i)]
    for setting in VALUES:
        assert getattr(found, setting) == values.get(setting, getattr(listed, setting))
    assert (found.filters, found.after) == (listed.filters, listed.after)
    assert phase(found.name) == found


def test_every_setting_that_can_be_written_is_tried_here() -> None:
    assert set(settings()) == set(VALUES)


@pytest.mark.parametrize("name", list(PHASES))
def test_a_listed_name_is_the_listed_phase(name: str) -> None:
    assert phase(name) == PHASES[name]
    assert PHASES[name].name == name


def test_the_listed_phases_are_those_of_the_claims_authors() -> None:
    assert tuple(PHASES) == ("cnn", "transfer", "finetune", "improved")
    assert PHASES["transfer"].learning_rate == 1e-2
    assert PHASES["transfer"].is_frozen
    assert (PHASES["finetune"].learning_rate, PHASES["finetune"].unfreeze) == (1e-4, 1)
    assert not PHASES["finetune"].is_frozen
    assert PHASES["improved"].has(Improvement.LABEL_SMOOTHING)
    assert not PHASES["cnn"].has_backbone
    assert not PHASES["cnn"].is_frozen


def test_spaces_around_the_parts_do_not_matter() -> None:
    assert phase(" finetune + mish+ unfreeze=2 ") == phase("finetune+mish+unfreeze=2")


def test_an_improvement_written_twice_is_there_once() -> None:
    assert phase("cnn+mish+mish").improvements == (Improvement.MISH,)


def test_the_last_value_of_a_setting_counts() -> None:
    assert phase("cnn+dropout=0.1+dropout=0.2").dropout == 0.2


def test_a_summary_says_what_was_changed() -> None:
    assert phase("cnn+mish+dropout=0.5").summary.endswith("; with mish, dropout=0.5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnet", "Unknown phase 'resnet'. Known: cnn, transfer, finetune, improved; others"),
        ("", "Unknown phase ''"),
        ("CNN", "Unknown phase 'CNN'"),
        ("cnn+swish", "Unknown improvement 'swish'. Known: label_smoothing, .* mixed_precision;"),
        ("cnn+", "Unknown improvement ''"),
        ("cnn+width=2", "Unknown setting 'width'. Known: dense_units, dropout, learning_rate"),
        ("cnn+filters=8", "Unknown setting 'filters'"),
        ("cnn+mish=1", "Unknown setting 'mish'"),
        ("cnn+dropout=", "dropout must be a number, found ''"),
        ("cnn+dropout=half", "dropout must be a number, found 'half'"),
        ("cnn+dense_units=512.5", "dense_units must be a whole number, found '512.5'"),
        ("cnn+dropout=0.96", r"dropout must be from 0 to 0\.95, found 0\.96"),
        ("cnn+dropout=-0.1", r"dropout must be from 0 to 0\.95, found -0\.1"),
        ("cnn+dropout=nan", r"dropout must be from 0 to 0\.95, found nan"),
        ("cnn+learning_rate=0", r"learning_rate must be above 0 and below 10, found 0\.0"),
        ("cnn+learning_rate=10", r"learning_rate must be above 0 and below 10, found 10\.0"),
        ("cnn+learning_rate=inf", "learning_rate must be above 0 and below 10, found inf"),
        ("cnn+dense_units=-1", "dense_units must be from 0 to 65536, found -1"),
        ("cnn+dense_units=" + "9" * 400, "dense_units must be from 0 to 65536, found 999"),
        ("finetune+unfreeze=8", "unfreeze must be from 0 to 7, found 8"),
        ("cnn+patience=0", "patience must be from 1 to 10000, found 0"),
        ("cnn+unfreeze=1", "cnn: unfreeze=1 needs a backbone"),
        ("improved+triangular", "reduce_lr and triangular all set the learning rate: choose one"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could_be(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        phase(text)


def test_a_phase_made_in_code_is_held_to_the_same_rules() -> None:
    with pytest.raises(ModelError, match="dropout must be"):
        replace(PHASES["cnn"], dropout=2.0)
    with pytest.raises(ModelError, match="all set the learning rate"):
        replace(PHASES["cnn"], improvements=tuple(RATES))


def test_a_phase_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        PHASES["cnn"].dropout = 0.9  # type: ignore[misc]
    with pytest.raises(TypeError):
        PHASES["mine"] = PHASES["cnn"]  # type: ignore[index]


def test_only_one_improvement_sets_the_size_of_the_images() -> None:
    assert phase("transfer").image_size(224) == 224
    assert phase("transfer+input_380").image_size(224) == 380


def test_nothing_stands_before_a_phase_that_begins_anew() -> None:
    assert start_of(phase("cnn")) is None
    assert start_of(phase("transfer+mish")) is None


def test_finetuning_goes_on_from_transfer() -> None:
    assert start_of(phase("finetune")) == PHASES["transfer"]


@given(written())
def test_what_stands_before_has_the_same_network_and_can_be_written(
    given_: tuple[str, str, set[Improvement], dict[str, Any]],
) -> None:
    continuing = phase(given_[0])
    before = start_of(continuing)
    if before is None:
        assert continuing.after == ""
        return
    assert _network(before) == _network(continuing)
    assert set(before.improvements) <= SHAPING
    assert before.learning_rate == PHASES["transfer"].learning_rate
    assert before.is_frozen
    again = phase(before.name)
    assert replace(again, summary="") == replace(before, summary="")


def _network(of: Phase) -> Any:
    shaping = [item for item in of.improvements if item in SHAPING]
    return of.filters, of.dense_units, of.dropout, shaping


def test_phases_need_no_tensorflow() -> None:
    code = (
        "import sys, leafmodel.training.phases; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
