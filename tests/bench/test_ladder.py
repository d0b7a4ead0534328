"""Ladders of variants: in what two differ, the finest way between them, what would part a jump."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import ladder
from bench.variants import VARIANTS, variant
from leafmodel.errors import PipelineError
from leafmodel.pipelines.spec import (
    Augment,
    Cache,
    Decode,
    Delivers,
    Loader,
    PipelineSpec,
    Resize,
)

LISTED = {name: item.pipeline for name, item in VARIANTS.items()}
QUICK = {name: LISTED[name] for name in LISTED if name != "feature_cache"}
RESIZE = ("resize",)


def axes(names, idle=()):
    """The axes that each rung changes."""
    rungs = [ladder.changes(LISTED[a], LISTED[b], idle) for a, b in pairwise(names)]
    return [[change.axis for change in rung] for rung in rungs]


def axes_between(before, after):
    """The axes that each part of a jump changes."""
    parts = (before, *ladder.between(before, after), after)
    return [[change.axis for change in ladder.changes(a, b)] for a, b in pairwise(parts)]


def test_a_change_is_written_as_people_write_axes():
    assert ladder.changes(LISTED["plain"], LISTED["parallel"]) == (
        ladder.Change("map_parallelism", "sequential", "cores"),
    )


def test_axes_that_the_images_leave_idle_do_not_differ():
    loader, resize = ladder.changes(LISTED["default"], LISTED["plain"])
    assert (loader.axis, resize.axis) == ("loader", "resize")
    assert ladder.changes(LISTED["default"], LISTED["plain"], RESIZE) == (loader,)


def test_the_device_has_no_pipeline_that_could_differ():
    (only,) = ladder.changes(LISTED["in_model_cache"], LISTED["resident"])
    assert only == ladder.Change("loader", "tf_data", "resident")


def test_the_claims_ladder_has_an_axis_a_rung():
    names = ladder.finest(QUICK, "default", "in_model", RESIZE)
    assert names == ("default", "plain", "parallel", "prefetch", "in_model")
    assert axes(names, RESIZE) == [["loader"], ["map_parallelism"], ["prefetch"], ["augment"]]


def test_a_ladder_takes_no_step_that_it_takes_back():
    for target in ("in_model", "keras_stock"):
        assert not any("cache" in rung for rung in axes(ladder.finest(QUICK, "default", target)))


def test_of_equally_fine_ladders_it_takes_the_one_through_the_candidate():
    def to_the_top(via):
        return ladder.finest(QUICK, "default", "in_model_cache", RESIZE, via)

    assert to_the_top("in_model")[-2:] == ("in_model", "in_model_cache")
    assert to_the_top("cache_prefetch")[-2:] == ("cache_prefetch", "in_model_cache")
    assert len(to_the_top("in_model")) == len(to_the_top("cache")) == 6


def test_a_ladder_to_the_device_climbs_the_pipeline_first():
    names = ladder.finest(QUICK, "default", "resident", via="in_model")
    assert names[-3:] == ("in_model", "in_model_cache", "resident")
    assert axes(names)[-1] == ["loader"]


def test_a_target_that_differs_in_what_its_loader_brings_is_reached_at_once():
    names = ladder.finest(QUICK, "default", "keras_stock")
    assert names[-2:] == ("in_model", "keras_stock")
    assert axes(names)[-1] == ["loader", "map_parallelism", "prefetch", "autotune"]


def test_less_work_is_no_rung_to_the_same_work():
    names = ladder.finest(LISTED, "default", "resident")
    assert "feature_cache" not in names
    assert "resident" not in ladder.finest(LISTED, "default", "in_model")


def test_without_anything_between_it_is_one_jump():
    two = {name: LISTED[name] for name in ("default", "in_model")}
    assert ladder.finest(two, "default", "in_model") == ("default", "in_model")


def test_equal_pipelines_under_two_names_are_still_two_ends():
    same = {"a": LISTED["prefetch"], "b": LISTED["prefetch"]}
    assert ladder.finest(same, "a", "b") == ("a", "b")


def test_of_ladders_with_equally_many_rungs_it_takes_the_most_even():
    start, top = LISTED["plain"], LISTED["in_model_cache"]
    points = {
        "start": start,
        "uneven": start.evolve(map_parallelism=0),
        "even": start.evolve(prefetch=2, cache=Cache.DECODED),
        "top": top,
    }
    assert ladder.finest(points, "start", "top") == ("start", "even", "top")


def test_images_kept_in_another_form_are_no_step_to_a_pipeline():
    few = {name: LISTED[name] for name in ("default", "memory_mapped", "in_model")}
    assert ladder.finest(few, "default", "in_model") == ("default", "in_model")


def test_a_ladder_to_the_memory_mapped_file_climbs_the_pipeline_first():
    names = ladder.finest(LISTED, "default", "memory_mapped", via="in_model")
    assert names[-3:] == ("in_model", "in_model_cache", "memory_mapped")
    assert axes(names)[-2:] == [["cache"], ["loader"]]


def test_a_memory_mapped_file_has_no_cache_to_lose():
    (only,) = ladder.changes(LISTED["in_model_cache"], LISTED["memory_mapped"])
    assert only.axis == "loader"
    assert (
        ladder.without(LISTED["memory_mapped"], LISTED["in_model_cache"], "loader")
        == (LISTED["in_model_cache"])
    )


def test_bytes_and_augmentation_in_the_pipeline_are_parted_in_the_order_that_can_be():
    bytes_, plain = LISTED["uint8_model"], LISTED["prefetch"]
    there = [axis for (axis,) in axes_between(plain, bytes_)]
    assert there == ["augment", "delivers"]
    assert [axis for (axis,) in axes_between(bytes_, plain)] == ["delivers", "augment"]


def test_a_jump_is_parted_by_listed_variants_where_there_are_any():
    parts = ladder.between(LISTED["default"], LISTED["in_model"], RESIZE)
    assert [ladder.called(spec, LISTED, RESIZE) for spec in parts] == [
        "plain",
        "parallel",
        "prefetch",
    ]
    (part,) = ladder.between(LISTED["default"], LISTED["plain"])
    assert ladder.called(part, LISTED) == "default+loader=tf_data"


def test_what_no_pipeline_could_part_is_not_parted():
    stock = LISTED["keras_stock"]
    for spec in ladder.between(LISTED["in_model"], stock):
        assert spec.autotune
    (part,) = ladder.between(LISTED["default"], LISTED["resident"])
    assert (part.loader, part.augment) == (Loader.IMAGE_DATA_GENERATOR, Augment.MODEL)


def test_taking_away_one_axis_keeps_the_others():
    top, start = LISTED["in_model_cache"], LISTED["default"]
    assert ladder.without(top, start, "cache") == LISTED["in_model"]
    assert ladder.without(top, start, "resize") == top.evolve(resize=Resize.NEAREST)


def test_an_axis_that_cannot_be_taken_away_alone_is_none():
    assert ladder.without(LISTED["in_model"], LISTED["default"], "loader") is None
    assert ladder.without(LISTED["resident"], LISTED["default"], "augment") is None


@st.composite
def specs(draw, loader=None):
    """Pipelines that can exist."""
    values = {
        "loader": loader or draw(st.sampled_from(list(Loader))),
        "map_parallelism": draw(st.sampled_from([0, 1, 4])),
        "cache": draw(st.sampled_from(list(Cache))),
        "prefetch": draw(st.sampled_from([0, 2, 8])),
        "augment": draw(st.sampled_from(list(Augment))),
        "resize": draw(st.sampled_from(list(Resize))),
        "decode": draw(st.sampled_from(list(Decode))),
        "delivers": draw(st.sampled_from(list(Delivers))),
    }
    base = draw(st.sampled_from(list(LISTED.values())))
    kept = draw(st.sets(st.sampled_from(sorted(values))))
    try:
        return base.evolve(**{axis: value for axis, value in values.items() if axis in kept})
    except PipelineError:
        return base


@given(specs(), specs())
def test_every_part_of_a_jump_changes_one_axis(a, b):
    parts = (a, *ladder.between(a, b), b)
    for before, after in list(pairwise(parts))[:-1]:
        assert len(ladder.changes(before, after)) == 1
    if a.loader is b.loader is Loader.TF_DATA and a.autotune is b.autotune is False:
        assert all(len(ladder.changes(*pair)) <= 1 for pair in pairwise(parts))


@given(specs())
def test_a_name_stands_for_its_pipeline(spec):
    assert ladder.same(variant(ladder.called(spec, LISTED)).pipeline, spec)


@given(st.lists(specs(), min_size=2, max_size=9))
def test_no_rung_takes_back_what_an_earlier_one_changed(given_specs):
    points = {f"v{k}": spec for k, spec in enumerate(given_specs)}
    names = ladder.finest(points, "v0", "v1")
    assert (names[0], names[-1]) == ("v0", "v1")
    assert len(set(names)) == len(names)
    start = points["v0"]
    for a, b in pairwise(names[:-1]):
        gone = {change.axis for change in ladder.changes(start, points[a])}
        now = {change.axis for change in ladder.changes(start, points[b])}
        back = {change.axis for change in ladder.changes(points[a], points[b])}
        assert not (gone - now) & back


@given(st.lists(specs(Loader.TF_DATA), min_size=2, max_size=9))
def test_more_variants_never_make_a_ladder_coarser(given_specs):
    points = {f"v{k}": spec for k, spec in enumerate(given_specs)}
    fewer = dict(list(points.items())[:-1]) if len(points) > 2 else points
    names = ladder.finest(points, "v0", "v1")
    assert len(names) >= len(ladder.finest(fewer, "v0", "v1"))


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_pipeline_has_its_own_name(name):
    assert ladder.called(PipelineSpec().evolve(**vars(LISTED[name])), LISTED) == name
