from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import config as config_module
from bench.config import (
    for_machine,
    listing,
    make_config,
    suite_names,
    suite_summary,
)
from bench.errors import ConfigError
from bench.schema import ClaimSpec, ProfileMode
from bench.values import parse_target
from bench.variants import VARIANTS
from leafmodel.pipelines.spec import AugmentForm, Loader
from leafmodel.training.phases import PHASES

GOOD = """\
variants = ["default", "in_model"]
blocks = 2
epochs = 3
batch_size = 8
image_size = 64
"""


def suite_file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(suite: str, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        make_config(suite, overrides)
    return str(caught.value)


def test_our_suites_are_listed_cheapest_first() -> None:
    assert suite_names() == ("smoke", "gate", "quick", "phases", "race", "claim", "full", "paper")


@pytest.mark.parametrize("name", suite_names())
def test_our_suites_are_valid_and_say_what_they_are(name: str) -> None:
    config = make_config(name)
    assert config.suite == name
    baseline = "in_model" if name == "gate" else "default"  # a gate audits no claim
    assert config.claim == ClaimSpec(7.0, baseline, "in_model")
    assert config.phases == {"phases": tuple(PHASES), "race": ("transfer",)}.get(name, ("cnn",))
    assert suite_summary(name)


def test_quick_has_what_the_claim_is_about_and_paper_the_same_at_the_claims_size() -> None:
    quick = make_config("quick")
    known = [name for name in VARIANTS if name in quick.variants]
    assert quick.variants == tuple(known)
    assert {axes.pipeline.augment_form for name, axes in VARIANTS.items() if name in known} == {
        AugmentForm.STOCK
    }
    needs_backbone = [n for n, v in VARIANTS.items() if v.pipeline.needs_frozen_backbone]
    assert not {*needs_backbone} & {*known}
    assert {*needs_backbone} < {*make_config("phases").variants}
    assert make_config("full").variants == make_config("paper").variants == quick.variants
    paper = make_config("paper")
    assert (paper.images, paper.batch_size, paper.epochs) == (17_728, 64, 20)


def test_a_suite_of_the_user_is_a_path(tmp_path: Path) -> None:
    config = make_config(suite_file(tmp_path, GOOD + '[claim]\ntarget = "2.5x"\n'))
    assert config.claim == ClaimSpec(2.5, "default", "in_model")
    assert (config.blocks, config.images, config.seed) == (2, None, 0)
    assert (config.augment, config.skip_bad, config.trial_timeout_s) == (True, False, 900.0)


def test_the_command_line_overrides_the_suite() -> None:
    given = {
        "variants": "plain, in_model+prefetch=8",
        "target": "1.5x",
        "baseline": "plain",
        "candidate": "in_model+prefetch=8",
        "blocks": 9,
        "epochs": None,
        "augment": False,
        "skip_bad": True,
    }
    config = make_config("smoke", given)
    assert config.variants == ("plain", "in_model+prefetch=8")
    assert config.claim == ClaimSpec(1.5, "plain", "in_model+prefetch=8")
    assert (config.blocks, config.epochs) == (9, 3)
    assert (config.augment, config.skip_bad) == (False, True)


@pytest.mark.parametrize(
    ("text", "target"),
    [("7x", 7.0), ("7", 7.0), (7.0, 7.0), (7, 7.0), ("1.25X", 1.25), (".5", 0.5)],
)
def test_a_target_is_a_factor(text: object, target: float) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text", ["", "x", "-7x", "0x", "7y", "nan", "inf", True, None, "1e3", "7 %"]
)
def test_anything_else_is_no_target(text: object) -> None:
    with pytest.raises(ValueError, match="expected a factor"):
        parse_target(text)


def test_malformed_toml_names_file_and_line(tmp_path: Path) -> None:
    path = suite_file(tmp_path, 'variants = ["default"]\nblocks = = 3\n')
    message = refused(path)
    assert f"{path}, line 2: not valid TOML" in message
    assert "column" not in message


def test_toml_that_ends_too_early_names_the_last_line(tmp_path: Path) -> None:
    assert ", line 2: not valid TOML" in refused(
        suite_file(tmp_path, 'blocks = 3\nphases = ["cnn"')
    )


def test_a_suite_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refused(str(path))


def test_unknown_suite_is_suggested_for() -> None:
    message = refused("quik")
    assert "There is no suite 'quik'. Did you mean 'quick'?" in message


def test_unknown_key_is_suggested_for(tmp_path: Path) -> None:
    message = refused(suite_file(tmp_path, GOOD + "epoch = 3\n"))
    assert "unknown key 'epoch'. Did you mean 'epochs'?" in message
    message = refused(suite_file(tmp_path, GOOD + "[claim]\ntarge = 3\n"))
    assert "table [claim]: unknown key 'targe'. Did you mean 'target'?" in message


def test_missing_keys_are_named(tmp_path: Path) -> None:
    message = refused(suite_file(tmp_path, 'variants = ["default", "in_model"]\nepochs = 2\n'))
    assert "does not say blocks, batch_size, image_size" in message
    assert "--batch-size" in message


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('blocks = "3"', "blocks must be a whole number of 1 or more, found '3'"),
        ("blocks = 0", "blocks must be a whole number of 1 or more, found 0"),
        ("blocks = true", "blocks must be a whole number of 1 or more, found True"),
        ("epochs = -1", "epochs must be a whole number of 1 or more, found -1"),
        ("epochs = 1.5", "epochs must be a whole number of 1 or more, found 1.5"),
        ("batch_size = 0", "batch_size must be a whole number of 1 or more, found 0"),
        ("image_size = 16", "image_size must be a whole number of 32 or more, found 16"),
        ("images = 0", "images must be a whole number of 1 or more, found 0"),
        ("seed = 4294967296", "seed must be a whole number from 0 to 4294967295"),
        ("augment = 1", "augment must be true or false, found 1"),
        ("trial_timeout_s = 0", "trial_timeout_s must be a number of seconds above 0, found 0"),
        ("data = 3", "data must be a text that is not empty, found 3"),
        ("variants = 3", "variants must be a list of names, found 3"),
        ("variants = []", "variants must be a list of at least one name, found []"),
        ('phases = ["cnn", "cnn"]', "phases lists cnn twice"),
        ("claim = 7", "claim must be a table ([claim]), found 7"),
        ('claim = {target = "fast"}', "claim.target: expected a factor such as 7x"),
    ],
)
def test_wrong_values_are_named_with_file_and_key(tmp_path: Path, line: str, expected: str) -> None:
    kept = [given for given in GOOD.splitlines() if given.split()[0] != line.split(maxsplit=1)[0]]
    path = suite_file(tmp_path, "\n".join([*kept, line]))
    message = refused(path)
    assert path in message
    assert expected in message


def test_wrong_values_on_the_command_line_are_named_with_their_option() -> None:
    assert refused("quick", {"blocks": 0}).startswith("--blocks must be a whole number")
    assert refused("quick", {"batch_size": 0}).startswith("--batch-size must be")
    assert refused("quick", {"target": "soon"}).startswith("--claim: expected a factor")


def test_unknown_variant_is_suggested_for() -> None:
    message = refused("quick", {"variants": "default,in_modle"})
    assert message.startswith("--variants: Unknown variant 'in_modle'")
    assert "Did you mean 'in_model'?" in message


def test_impossible_combination_of_axes_says_what_to_change() -> None:
    message = refused("quick", {"variants": "default,in_model,resident+prefetch=2"})
    assert "'resident+prefetch=2' cannot be: loader=resident cannot have prefetch=2" in message


def test_unknown_phase_is_suggested_for() -> None:
    message = refused("quick", {"phases": "cnm"})
    assert "--phases: Unknown phase 'cnm'. Known: cnn, transfer" in message
    assert message.endswith("Did you mean 'cnn'?")


def test_a_claim_about_a_variant_that_is_not_run_is_refused() -> None:
    message = refused("quick", {"variants": "plain,in_model"})
    assert "The baseline of the claim, 'default', is not among the variants" in message
    assert "--variants plain,in_model,default" in message
    assert "The candidate" in refused("quick", {"variants": "default,plain"})


def test_a_variant_may_be_claimed_against_itself() -> None:
    claim = make_config("quick", {"baseline": "plain", "candidate": "plain", "target": "1x"}).claim
    assert (claim.baseline, claim.candidate, claim.target) == ("plain", "plain", 1.0)


@pytest.mark.parametrize("what", ["variants", "phases", "suites"])
def test_everything_can_be_listed(what: str) -> None:
    rows = listing(what)
    assert rows
    assert all(row["name"] and row["summary"] for row in rows)


def test_the_suites_about_one_phase_at_length_profile_what_tells() -> None:
    modes = {name: make_config(name).profile for name in suite_names()}
    assert modes == {
        **dict.fromkeys(("smoke", "gate", "phases", "race", "claim"), ProfileMode.NONE),
        **dict.fromkeys(("quick", "full", "paper"), ProfileMode.AUTO),
    }
    assert make_config("smoke", {"profile": "all", "profile_steps": 40}).profile is ProfileMode.ALL


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profile": "some"}, "--profile must be one of none, auto, all, found 'some'"),
        ({"profile_steps": 41}, "--profile-steps must be a whole number from 3 to 40, found 41"),
        ({"profile_steps": 2}, "--profile-steps must be a whole number from 3 to 40, found 2"),
    ],
)
def test_profiles_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    assert message in refused("smoke", given)


@pytest.mark.parametrize(
    ("given", "share"), [("0.9", 0.9), ("90%", 0.9), (0.75, 0.75), (1, 1.0), (" 62.5 % ", 0.625)]
)
def test_an_accuracy_is_a_share_or_a_percentage(given: object, share: float) -> None:
    assert make_config("quick", {"until_accuracy": given}).until_accuracy == pytest.approx(share)


@pytest.mark.parametrize("given", ["0", "1.01", "101%", "-0.5", "high", "nan", True])
def test_an_accuracy_that_cannot_be_is_refused(given: object) -> None:
    assert "--until-accuracy must be an accuracy" in refused("quick", {"until_accuracy": given})


def test_phases_can_be_changed() -> None:
    config = make_config("quick", {"phases": "cnn+dropout=0.5,finetune+mish"})
    assert config.phases == ("cnn+dropout=0.5", "finetune+mish")


def test_a_feature_cache_needs_a_phase_whose_backbone_is_frozen() -> None:
    variants = "default,in_model,feature_cache"
    message = refused("quick", {"variants": variants})
    assert "'feature_cache' caches what a frozen backbone makes of each image" in message
    assert "has no meaning in: cnn" in message
    both = {"variants": variants, "phases": "cnn,transfer"}
    assert make_config("quick", both).variants[-1] == "feature_cache"
    message = refused("quick", {**both, "candidate": "feature_cache"})
    assert "has no meaning in: cnn" in message


def test_the_backbone_is_named_for_the_machine_where_nobody_named_one() -> None:
    config = make_config("quick", {"phases": "transfer"})
    assert for_machine(config, ()).backbone == "efficientnet_lite0"
    assert for_machine(config, ("NVIDIA H100",)).backbone == "efficientnet_b4"
    named = make_config("quick", {"phases": "transfer", "backbone": "efficientnet_lite2"})
    assert for_machine(named, ("NVIDIA H100",)).backbone == "efficientnet_lite2"


def test_a_run_without_pretrained_phases_has_no_backbone() -> None:
    config = for_machine(make_config("quick", {"backbone": "efficientnet_b0"}), ())
    assert (config.backbone, config.weights) == ("", "")


def test_an_unknown_backbone_is_refused_before_anything_runs() -> None:
    config = make_config("quick", {"phases": "transfer", "backbone": "efficientnet_lite9"})
    with pytest.raises(ConfigError, match=r"--backbone, --weights: .*efficientnet_lite9"):
        for_machine(config, ())


def test_an_emulated_run_names_its_device_and_profiles_nothing() -> None:
    config = make_config("smoke", {"device": "emulated:step=51ms"})
    assert config.device is not None
    assert config.device.name == "emulated:step=51ms"
    assert config.profile is ProfileMode.NONE
    assert make_config("smoke").device is None


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"profile": "all"}, "--profile is about training, and an emulated device trains nothing"),
        ({"until_accuracy": "0.9"}, "--until-accuracy is about training"),
        ({"start_epochs": 3}, "--start-epochs is about training"),
        ({"phases": "transfer", "variants": "default,in_model,feature_cache"}, "'feature_cache'"),
        ({"device": "p100_class", "image_size": 128}, "no step time for phase cnn in float32"),
        ({"device": "p100_class", "phases": "transfer"}, "no step time for phase transfer"),
        ({"device": "emulated:step=51"}, "--device: step must be a time"),
    ],
)
def test_what_an_emulated_run_cannot_have_is_refused(overrides: dict[str, Any], says: str) -> None:
    assert says in refused("smoke", {"device": "emulated:step=51ms", "image_size": 256} | overrides)


def test_our_devices_are_listed() -> None:
    assert {row["name"] for row in listing("devices")} == {"cpu_2core", "images_1250", "p100_class"}


def test_a_variant_whose_loader_is_not_installed_is_listed_and_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    why = "needs torch, which is not installed here: pip install 'leafbench[torch]'"
    monkeypatch.setattr(
        config_module,
        "lacking",
        lambda spec: why if spec.loader is Loader.TORCH else "",
    )
    listed = {row["name"]: row.get("unavailable") for row in listing("variants")}
    assert listed["torch_loader"] == why
    assert listed["grain"] is None
    asked = make_config("smoke", {"variants": "default,in_model,torch_loader"})
    with pytest.raises(ConfigError, match=r"Variant 'torch_loader' needs torch.*leave it out"):
        for_machine(asked, ())
