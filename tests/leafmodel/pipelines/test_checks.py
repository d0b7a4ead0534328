from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import tensorflow as tf

from leafmodel.pipelines import tf_data
from leafmodel.pipelines.checks import form_checks, graph_checks, hidden_checks
from leafmodel.pipelines.facts import ProofCheck, ProofStatus
from leafmodel.pipelines.graph import Stage, stages
from leafmodel.pipelines.spec import Augment, AugmentForm, Cache, Loader, PipelineSpec

DECODE = Stage("map", work="decode", calls=1)
AUGMENT = Stage("map", work="augment", calls=1)
SHUFFLE = Stage("shuffle", buffer=10)
BATCH = Stage("batch")
CACHE = Stage("cache")
PLAIN = (SHUFFLE, DECODE, AUGMENT, BATCH)
CACHED = (DECODE, CACHE, SHUFFLE, AUGMENT, BATCH)
CACHED_IN_FILE = (DECODE, Stage("cache", work="file"), SHUFFLE, AUGMENT, BATCH)


def _failed(spec: PipelineSpec, found: Sequence[Stage]) -> list[ProofCheck]:
    return [check for check in graph_checks(spec, found, 10) if check.status is ProofStatus.FAILED]


def test_a_graph_that_is_what_the_spec_says_passes() -> None:
    checks = graph_checks(PipelineSpec(), PLAIN, 10)
    assert {check.status for check in checks} == {ProofStatus.OK}


@pytest.mark.parametrize(
    ("spec", "found", "check"),
    [
        (PipelineSpec(), (*PLAIN, Stage("prefetch", buffer=2)), "prefetch"),
        (PipelineSpec(prefetch=2), PLAIN, "prefetch"),
        (PipelineSpec(prefetch=2), (*PLAIN, Stage("prefetch", buffer=4)), "prefetch"),
        (PipelineSpec(map_parallelism=4), PLAIN, "map parallelism"),
        (PipelineSpec(cache=Cache.DECODED), PLAIN, "cache"),
        (PipelineSpec(cache=Cache.FILE), CACHED, "cache"),
        (PipelineSpec(cache=Cache.DECODED), CACHED_IN_FILE, "cache"),
        (PipelineSpec(augment=Augment.MODEL), PLAIN, "augmentation stage"),
        (PipelineSpec(), (SHUFFLE, DECODE, BATCH, AUGMENT), "augmentation stage"),
    ],
)
def test_what_the_graph_lacks_or_hides_is_named(
    spec: PipelineSpec, found: Sequence[Stage], check: str
) -> None:
    failed = _failed(spec, found)
    assert [item.check for item in failed] == [check]
    assert failed[0].remedy


@pytest.mark.parametrize(
    ("cache", "found"), [(Cache.DECODED, CACHED), (Cache.FILE, CACHED_IN_FILE)]
)
def test_a_cache_in_its_place_passes(cache: Cache, found: Sequence[Stage]) -> None:
    assert not _failed(PipelineSpec(cache=cache), found)


@pytest.mark.parametrize("cache", [Cache.DECODED, Cache.FILE])
def test_a_cache_behind_augmentation_fails_and_names_the_remedy(cache: Cache) -> None:
    kept = CACHE if cache is Cache.DECODED else CACHED_IN_FILE[1]
    failed = _failed(PipelineSpec(cache=cache), (DECODE, AUGMENT, kept, SHUFFLE, BATCH))
    assert [item.check for item in failed] == ["nothing random before the cache"]
    assert "move .cache() before the augmentation" in failed[0].remedy


def test_a_cache_behind_a_shuffle_fails_and_names_the_remedy() -> None:
    failed = _failed(PipelineSpec(cache=Cache.DECODED), (SHUFFLE, DECODE, CACHE, AUGMENT, BATCH))
    assert [item.check for item in failed] == ["no shuffle before the cache"]
    assert "move .shuffle() behind .cache()" in failed[0].remedy


def test_a_short_shuffle_buffer_differs_but_does_not_fail() -> None:
    found = (Stage("shuffle", buffer=3), DECODE, AUGMENT, BATCH)
    (check,) = [c for c in graph_checks(PipelineSpec(), found, 10) if c.check == "shuffle"]
    assert check.status is ProofStatus.DIFFERS
    assert check.found == "buffer 3"


FUSED = PipelineSpec(augment_form=AugmentForm.FUSED)
GENERATOR = PipelineSpec(loader=Loader.IMAGE_DATA_GENERATOR)


def _form(spec: PipelineSpec, resamplings: int) -> dict[str, ProofCheck]:
    return {check.check: check for check in form_checks(spec, resamplings)}


@pytest.mark.parametrize(
    ("spec", "resamplings"),
    [
        (PipelineSpec(), 3),
        (PipelineSpec(augment=Augment.MODEL), 3),
        (PipelineSpec(augment=Augment.NONE), 0),
        (FUSED, 1),
        (FUSED.evolve(augment=Augment.MODEL), 1),
        (GENERATOR, 0),
        (GENERATOR.evolve(augment=Augment.MODEL), 3),
    ],
)
def test_another_number_of_resamplings_than_the_form_has_fails(
    spec: PipelineSpec, resamplings: int
) -> None:
    name = "resamplings by augmentation"
    assert _form(spec, resamplings)[name].status is ProofStatus.OK
    failed = _form(spec, 4 - resamplings)[name]
    assert failed.status is ProofStatus.FAILED
    assert (failed.expected, failed.found) == (str(resamplings), str(4 - resamplings))
    assert "in the one place and form that the spec names" in failed.remedy


def test_a_form_that_is_not_the_claims_differs_on_purpose() -> None:
    assert "augmentation form" not in _form(PipelineSpec(), 3)
    fused, scipy = (_form(spec, 1)["augmentation form"] for spec in (FUSED, GENERATOR))
    assert {fused.status, scipy.status} == {ProofStatus.DIFFERS}
    assert "one Keras layer, one resampling" in fused.found
    assert "one SciPy resampling" in scipy.found


def _hidden(spec: PipelineSpec, dataset: Any) -> dict[str, ProofStatus]:
    found = hidden_checks(spec, dataset, stages(dataset))
    return {check.check: check.status for check in found}


def test_what_keras_puts_around_a_generator_is_read_from_the_graph() -> None:
    spec = PipelineSpec(loader=Loader.IMAGE_DATA_GENERATOR, augment=Augment.NONE)
    bare = tf.data.Dataset.range(3).with_options(tf_data.options(PipelineSpec()))
    assert _hidden(spec, bare) == {"autotuner": ProofStatus.OK, "hidden prefetch": ProofStatus.OK}
    wrapped = tf.data.Dataset.range(3).prefetch(tf.data.AUTOTUNE)
    assert set(_hidden(spec, wrapped).values()) == {ProofStatus.DIFFERS}


def test_an_autotuner_that_a_spec_switches_off_is_a_failure_anywhere_else() -> None:
    assert _hidden(PipelineSpec(), tf.data.Dataset.range(3))["autotuner"] is ProofStatus.FAILED
