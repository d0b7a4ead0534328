from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.device_schema import DeviceProfile, End, Range
from bench.devices import device, profile_names, profile_summary, times
from bench.errors import ConfigError
from bench.values import Given
from leafmodel.pipelines.spec import Augment, AugmentForm, PipelineSpec

PLAIN = PipelineSpec()
IN_MODEL = PipelineSpec(augment=Augment.MODEL)
GOOD = """\
summary = "mine"
ahead = 3
[[steps]]
phase = "cnn"
precision = "float32"
image_size = 64
[steps.image_s]
low = 0.001
high = 0.004
source = "on paper"
[[steps]]
phase = "transfer"
[steps.step_s]
value = 0.05
source = "measured"
[transfer.bytes_per_s]
low = 1e9
high = 4e9
source = "data sheet"
[augmentation.fused.image_s]
value = 0.0005
source = "measured"
"""


def asked(text: str) -> DeviceProfile:
    return device(Given(text, "--device"))


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        asked(text)
    return str(caught.value)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def changed(path: Path, old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    return str(path)


def test_a_device_written_out_takes_these_times_whatever_it_trains() -> None:
    found = asked("emulated:step=51ms,transfer=2ms,augment=500us,ahead=4")
    for phase, form in (("cnn", AugmentForm.STOCK), ("transfer", AugmentForm.FUSED)):
        took = times(found, phase, replace(IN_MODEL, augment_form=form), 128)
        assert (took.transfer_s, took.image_s, took.byte_s) == (0.002, 0.0, 0.0)
        assert took.step_s == pytest.approx(0.0515)
        assert took.ahead == 4
    assert times(found, "cnn", PLAIN, 256).busy_ns(images=64, size_bytes=10**9) == 53_000_000


def test_what_is_not_written_out_costs_nothing_and_says_so() -> None:
    found = asked("emulated:step=0.051s")
    assert times(found, "cnn", IN_MODEL, 256).busy_ns(64, 10**6) == 51_000_000
    assert found.ahead == 2
    assert "taken to cost nothing" in found.transfer.step_s.source
    assert found.title == "emulated device step=0.051s"


@given(st.integers(1, 3_000_000), st.integers(0, 1000))
def test_every_duration_is_read_as_it_is_written(us: int, ahead: int) -> None:
    found = [asked(f"emulated:step={t},ahead={ahead}") for t in (f"{us}us", f"{us / 1000:.3f}ms")]
    for item in found:
        assert item.steps[0].cost.step_s.low == pytest.approx(us * 1e-6)
        assert item.ahead == ahead


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("emulated:", "does not say how long a step takes"),
        ("emulated:transfer=2ms", "does not say how long a step takes"),
        ("emulated:step=51", "step must be a time of at most an hour, such as 51ms"),
        ("emulated:step=-51ms", "step must be a time of at most an hour"),
        ("emulated:step=2000000ms,transfer=4000s", "transfer must be a time of at most an hour"),
        ("emulated:step=0ms", "takes no time"),
        ("emulated:step=nan", "step must be a time"),
        ("emulated:step=1ms,step=2ms", "gives step twice"),
        ("emulated:step=1ms,ahaed=2", "unknown key 'ahaed'. Did you mean 'ahead'?"),
        ("emulated:step=1ms,ahead=-1", "ahead must be a whole number from 0 to 1000, found '-1'"),
        ("emulated:step=1ms,ahead=1.5", "ahead must be a whole number from 0 to 1000"),
        ("p100_clas", "no device 'p100_clas'. Did you mean 'p100_class'?"),
        ("p100_class:fastest", "no device 'p100_class:fastest'"),
        (" ", "must be a text that is not empty"),
    ],
)
def test_a_device_that_cannot_be_is_refused_with_a_sentence(text: str, says: str) -> None:
    assert says in refused(text)
    assert refused(text).startswith("--device")


def test_a_profile_is_read_with_its_ranges_and_sources(mine: Path) -> None:
    found = asked(str(mine))
    assert (found.summary, found.ahead, found.end) == ("mine", 3, End.MIDDLE)
    assert found.steps[0].cost.image_s == Range(0.001, 0.004, "on paper")
    assert found.transfer.byte_s == Range(2.5e-10, 1e-9, "data sheet")
    assert set(found.augmentation) == {AugmentForm.FUSED}


def test_the_ends_of_a_profile_and_its_middle(mine: Path) -> None:
    took = {end: times(asked(f"{mine}{end}"), "cnn", PLAIN, 64) for end in (":fast", "", ":slow")}
    assert [item.image_s for item in took.values()] == pytest.approx([0.001, 0.002, 0.004])
    assert [item.byte_s for item in took.values()] == pytest.approx([2.5e-10, 5e-10, 1e-9])


def test_augmentation_in_the_model_adds_its_time_and_elsewhere_none(mine: Path) -> None:
    found = asked(f"{mine}:fast")
    fused = replace(IN_MODEL, augment_form=AugmentForm.FUSED)
    assert times(found, "cnn", fused, 64).image_s == pytest.approx(0.0015)
    assert times(found, "cnn", replace(fused, augment=Augment.PIPELINE), 64).image_s == 0.001


def test_a_profile_refuses_what_it_says_nothing_of(mine: Path) -> None:
    found = asked(str(mine))
    assert times(found, "transfer", PLAIN, 300).step_s == 0.05  # any size, any precision
    for phase, size in (("cnn", 128), ("cnn+mixed_precision", 64), ("finetune", 64)):
        with pytest.raises(ConfigError, match="has no step time for phase") as caught:
            times(found, phase, PLAIN, size)
        assert "It has: cnn, float32, 64 pixels; transfer, any precision, any size" in str(
            caught.value
        )
    with pytest.raises(ConfigError, match=r"what stock augmentation in the model costs.*--no-aug"):
        times(found, "cnn", IN_MODEL, 64)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('summary = "mine"\n', "", "mine.toml does not say summary: add it."),
        ("ahead = 3\n", "", "mine.toml does not say ahead: add it."),
        ("ahead = 3\n", "ahead = 1.5\n", "ahead must be a whole number from 0 to 1000"),
        ("ahead = 3\n", "ahead = 3\nahaed = 3\n", "unknown key 'ahaed'. Did you mean 'ahead'?"),
        ("low = 0.001\n", "", "number 1, table [image_s] does not say low: add it."),
        ("low = 0.001\n", "low = -0.001\n", "low must be a number of seconds from 0 to 3600"),
        ("low = 0.001\n", "low = 0.005\n", "low is 0.005, above high, which is 0.004: swap them"),
        ("low = 0.001\n", "low = 0\n", "a step that takes no time is no device's"),
        ("low = 0.001\n", "low = 1e-15\n", "a step that takes no time is no device's"),
        ("low = 0.001\n", "low = nan\n", "low must be a number of seconds"),
        ("high = 0.004\n", "high = inf\n", "high must be a number of seconds"),
        ("high = 0.004\n", 'high = "4ms"\n', "high must be a number of seconds"),
        ("high = 0.004\n", "high = 0.004\nvalue = 1\n", "give value, or low and high, not both"),
        ('source = "on paper"\n', "", "number 1, table [image_s] does not say source: add it."),
        ('source = "on paper"\n', 'source = ""\n', "source must be a text that is not empty"),
        ('[steps.step_s]\nvalue = 0.05\nsource = "measured"\n', "", "number 2 has no time"),
        ('phase = "cnn"', 'phase = "cnm"', "phase: Unknown phase 'cnm'"),
        ('precision = "float32"', 'precision = "float64"', "one of float32, mixed_bfloat16"),
        ("image_size = 64", "image_size = 0", "image_size must be a whole number of 1 or more"),
        ("low = 1e9\n", "low = 12\n", "low must be a number of bytes a second from 10000"),
        ("high = 4e9\n", "high = 1e99\n", "high must be a number of bytes a second"),
        ("[transfer.bytes_per_s]", "[transfer.byte_per_s]", "unknown key 'byte_per_s'"),
        ("[augmentation.fused.", "[augmentation.fast.", "unknown key 'fast'"),
        ("ahead = 3", "ahead = ", "mine.toml, line 2: not valid TOML"),
    ],
)
def test_a_profile_with_missing_negative_or_absurd_numbers_is_refused(
    mine: Path, old: str, new: str, says: str
) -> None:
    assert says in refused(changed(mine, old, new))


def test_a_profile_needs_steps_and_a_transfer(mine: Path) -> None:
    step = '[[steps]]\n[steps.step_s]\nvalue = 0.1\nsource = "x"\n'
    mine.write_text(f'summary = "x"\nahead = 2\n{step}[transfer]\n', encoding="utf-8")
    assert "table [transfer] says nothing: give bytes_per_s" in refused(str(mine))
    transfer = '[transfer.step_s]\nvalue = 0\nsource = "x"\n'
    mine.write_text(f'summary = "x"\nahead = 2\nsteps = []\n{transfer}', encoding="utf-8")
    assert "steps must be one or more tables ([[steps]])" in refused(str(mine))
    mine.write_text(f'summary = "x"\nahead = 2\n{step}{transfer}', encoding="utf-8")
    assert asked(str(mine)).augmentation == {}


@pytest.mark.parametrize("name", profile_names())
def test_our_profiles_are_valid_and_train_every_variant_of_the_cnn(name: str) -> None:
    assert profile_summary(name)
    fast, slow = (times(asked(f"{name}:{end}"), "cnn", IN_MODEL, 256) for end in ("fast", "slow"))
    assert 0 < fast.busy_ns(64, 64 * 256 * 256 * 3) <= slow.busy_ns(64, 64 * 256 * 256 * 3)


def test_the_example_trains_1250_images_a_second() -> None:
    took = times(asked("images_1250"), "cnn", IN_MODEL, 256)
    assert took.busy_ns(64, 64 * 256 * 256 * 3) == 51_200_000
