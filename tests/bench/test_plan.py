from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bench import plan
from bench.devices import device as parse_device
from bench.schema import ProfileMode, RunConfig, TrialKind
from bench.values import Given
from leafmodel.pipelines.spec import Augment, AugmentForm, Loader
from tests.bench.samples import run_config

GOLDEN = (
    "b00-00-in_model-cnn",
    "b00-01-default-cnn-again",
    "b00-02-ceiling_model-cnn",
    "b00-03-default-cnn",
    "b00-04-ceiling_none-cnn",
    "b00-05-plain-cnn",
    "b01-00-plain-cnn",
    "b01-01-ceiling_none-cnn",
    "b01-02-default-cnn",
    "b01-03-ceiling_model-cnn",
    "b01-04-default-cnn-again",
    "b01-05-in_model-cnn",
)
CONFIG = run_config(variants=("default", "plain", "in_model"), blocks=2, seed=1)


def test_order_of_trials_is_pinned() -> None:
    """Whoever changes this makes runs that were begun before impossible to resume."""
    assert tuple(spec.name for spec in plan.build(CONFIG)) == GOLDEN


def test_same_config_gives_the_same_plan() -> None:
    assert plan.build(CONFIG) == plan.build(CONFIG)


def test_another_seed_gives_another_order_of_the_same_trials() -> None:
    orders = {
        tuple((spec.variant, spec.replica) for spec in plan.build(replace(CONFIG, seed=seed))[:6])
        for seed in range(5)
    }
    assert len(orders) > 1
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_every_second_block_is_reversed() -> None:
    trials = plan.build(replace(CONFIG, blocks=4))
    blocks = [
        [(spec.variant, spec.replica) for spec in trials if spec.block == block]
        for block in range(4)
    ]
    assert blocks[1] == blocks[0][::-1]
    assert blocks[2] == blocks[0]
    assert blocks[3] == blocks[1]


def test_each_block_has_every_variant_once_and_the_baseline_twice() -> None:
    for block in range(2):
        found = Counter(spec.variant for spec in plan.build(CONFIG) if spec.block == block)
        assert found == {
            "default": 2,
            "plain": 1,
            "in_model": 1,
            "ceiling_none": 1,
            "ceiling_model": 1,
        }


def test_names_sort_in_the_order_of_execution() -> None:
    names = [spec.name for spec in plan.build(replace(CONFIG, blocks=120))]
    assert names == sorted(names)
    assert len(set(names)) == len(names)


def test_all_trials_of_a_block_start_from_one_seed() -> None:
    seeds = {block: {s.seed for s in plan.build(CONFIG) if s.block == block} for block in (0, 1)}
    assert all(len(found) == 1 for found in seeds.values())
    assert seeds[0] != seeds[1]
    assert plan.trial_seed(1, 0) == plan.build(CONFIG)[0].seed
    assert 0 <= plan.trial_seed(2**32 - 1, 99) < 2**31


def test_ceilings_are_resident_with_their_place_of_augmentation() -> None:
    ceilings = [spec for spec in plan.build(CONFIG) if spec.kind is TrialKind.CEILING]
    assert {(spec.variant, spec.pipeline.augment) for spec in ceilings} == {
        ("ceiling_none", Augment.NONE),
        ("ceiling_model", Augment.MODEL),
    }
    assert {spec.pipeline.loader for spec in ceilings} == {Loader.RESIDENT}


def test_each_form_of_augmentation_in_the_model_has_its_ceiling() -> None:
    names = ("default", "fused_pipeline", "in_model", "fused_model", "fused_cache")
    trials = plan.build(replace(CONFIG, variants=names))
    ceilings = {spec.variant: spec.pipeline for spec in trials if spec.kind is TrialKind.CEILING}
    assert set(ceilings) == {"ceiling_none", "ceiling_model", "ceiling_fused"}
    assert ceilings["ceiling_fused"].augment_form is AugmentForm.FUSED
    assert ceilings["ceiling_model"].augment_form is AugmentForm.STOCK


def test_without_augmentation_in_the_model_there_is_one_ceiling() -> None:
    trials = plan.build(replace(CONFIG, variants=("default", "plain")))
    ceilings = {spec.variant for spec in trials if spec.kind is TrialKind.CEILING}
    assert ceilings == {"ceiling_none"}


def test_augmentation_can_be_switched_off_in_every_variant() -> None:
    trials = plan.build(replace(CONFIG, augment=False, variants=(*CONFIG.variants, "keras_stock")))
    assert {spec.pipeline.augment for spec in trials} == {Augment.NONE}


def test_ad_hoc_variants_have_names_that_are_safe_as_file_names() -> None:
    trials = plan.build(replace(CONFIG, variants=("default", "in_model", "in_model+prefetch=8")))
    found = next(spec for spec in trials if spec.variant == "in_model+prefetch=8")
    assert "in_model_prefetch_8" in found.name
    assert found.pipeline.prefetch == 8


def test_two_phases_are_in_one_block() -> None:
    trials = plan.build(replace(CONFIG, phases=("cnn", "transfer"), blocks=1))
    assert Counter(spec.phase for spec in trials) == {"cnn": 6, "transfer": 6}


def profiled(mode: ProfileMode, fastest: dict[str, str]) -> list[str]:
    variants = ("default", "plain", "parallel", "in_model", "in_model+prefetch=8")
    config = replace(CONFIG, variants=variants, phases=("cnn", "transfer"), profile=mode)
    return [spec.trial.name for spec in plan.profiles(config, fastest)]


def test_auto_profiles_baseline_candidate_plain_and_the_fastest_of_each_phase() -> None:
    names = profiled(ProfileMode.AUTO, {"cnn": "parallel", "transfer": "in_model"})
    assert names == [
        *("default-cnn", "plain-cnn", "parallel-cnn", "in_model-cnn"),
        *("default-transfer", "plain-transfer", "in_model-transfer"),
    ]


def test_other_modes_profile_all_or_nothing() -> None:
    assert profiled(ProfileMode.NONE, {"cnn": "parallel"}) == []
    names = profiled(ProfileMode.ALL, {})
    assert len(names) == 10
    assert names[4] == "in_model_prefetch_8-cnn"


def test_a_profile_is_one_short_trial_with_its_window_in_the_second_epoch() -> None:
    config = replace(CONFIG, profile=ProfileMode.AUTO, profile_steps=12)
    spec = plan.profiles(config, {})[0]
    assert spec.trial.kind is TrialKind.PROFILE
    assert (spec.trial.epochs, spec.window.epoch) == (2, 1)
    assert (spec.window.first_step, spec.window.steps, spec.window.steps_needed) == (3, 12, 17)
    assert spec.trial.batch_size == config.batch_size


def phases_config() -> RunConfig:
    return replace(
        CONFIG,
        variants=("default", "in_model", "feature_cache"),
        phases=("cnn", "transfer", "finetune+input_380"),
        backbone="efficientnet_lite0",
        weights="imagenet",
        epochs=9,
        blocks=1,
    )


def test_cached_features_are_tried_only_where_the_backbone_is_frozen() -> None:
    trials = plan.build(phases_config())
    assert {t.phase for t in trials if t.variant == "feature_cache"} == {"transfer"}


def test_trials_know_their_backbone_and_their_phases_image_size() -> None:
    trials = {trial.phase: trial for trial in plan.build(phases_config())}
    assert (trials["cnn"].backbone, trials["cnn"].weights) == ("", "")
    assert trials["transfer"].backbone == "efficientnet_lite0"
    assert trials["transfer"].image_size == CONFIG.image_size
    assert trials["finetune+input_380"].image_size == 380
    assert "finetune_input_380" in trials["finetune+input_380"].name


def test_trials_that_only_time_are_short() -> None:
    trials = plan.build(phases_config())
    lengths = {(t.kind, t.replica): t.epochs for t in trials}
    assert lengths == {
        (TrialKind.TRAIN, 0): 9,
        (TrialKind.TRAIN, 1): plan.TIMING_EPOCHS,
        (TrialKind.CEILING, 0): plan.TIMING_EPOCHS,
    }


def test_without_augmentation_a_feature_cache_keeps_one_pass() -> None:
    several = "feature_cache+augment=model+feature_passes=4"
    config = replace(phases_config(), variants=(several,), augment=False)
    assert plan.pipelines(config)[several].feature_passes == 1


def test_every_trial_of_an_emulated_run_has_its_devices_times_and_none_of_a_measured_run() -> None:
    device = parse_device(Given("emulated:step=50ms,augment=3ms", "--device"))
    trials = plan.build(replace(CONFIG, device=device))
    assert [spec.name for spec in trials] == list(GOLDEN)
    seconds = {spec.variant: spec.device.step_s for spec in trials if spec.device}
    assert seconds == pytest.approx(
        {"default": 0.05, "plain": 0.05, "in_model": 0.053}
        | {"ceiling_none": 0.05, "ceiling_model": 0.053}
    )
    assert all(spec.device is None for spec in plan.build(CONFIG))


def test_an_emulated_run_trains_nothing_to_continue_from() -> None:
    config = replace(CONFIG, phases=("finetune",))
    device = parse_device(Given("emulated:step=50ms", "--device"))
    assert [start.phase for start in plan.starts(config)] == ["transfer"]
    assert plan.starts(replace(config, device=device)) == ()
