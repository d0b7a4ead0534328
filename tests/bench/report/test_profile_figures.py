"""The figures of profiles show what the records say."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex
from PIL import Image

from bench.profile_schema import HAND_OVER, KINDS, STAGES
from bench.report import figures as all_figures
from bench.report import profile_figures
from bench.report.profile_figures import AUGMENT_COLOUR, STYLES
from bench.results import RunResults, compute
from tests.bench.profile_samples import PROFILED, profile_record, profiled, profiled_records
from tests.bench.samples import run_record

EVERYTHING = {
    **{f"input/{name}": 0.02 for name in (*STAGES, HAND_OVER)},
    **{f"model/{name}": 0.02 for name in KINDS},
    "idle/idle": 0.02,
}


def make(*records, **config) -> RunResults:
    run = run_record(**({"variants": tuple(PROFILED)} | config))
    return compute(run, (), (), records)


@pytest.fixture(scope="module")
def results():
    return make(*profiled_records())


def bars(axes, *, thin: bool):
    """Row -> its bars, from the left."""
    rows = {}
    for patch in axes.patches:
        if (patch.get_height() < 0.3) == thin:
            rows.setdefault(round(patch.get_y() + 0.1), []).append(patch)
    return rows


def lanes(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def drawn(axes, name):
    """Begin and width of each bar that was drawn under a name."""
    (found,) = [item for item in axes.collections if item.get_gid() == name]
    boxes = [path.get_extents() for path in found.get_paths()]
    return [(box.x0, box.width) for box in boxes]


def test_thick_bars_add_up_to_the_step_per_image(results):
    (axes,) = profile_figures.steps(results).axes
    rows = bars(axes, thin=False)
    for row, seconds in enumerate(PROFILED.values()):
        per_image_ms = 1000 * sum(seconds.values()) / 32
        assert sum(patch.get_width() for patch in rows[row]) == pytest.approx(per_image_ms)
        ends = [patch.get_x() + patch.get_width() for patch in rows[row]]
        assert [patch.get_x() for patch in rows[row]] == pytest.approx([0, *ends[:-1]])


def test_thin_bars_add_up_to_the_pipelines_work(results):
    (axes,) = profile_figures.steps(results).axes
    widths = [sum(p.get_width() for p in bars(axes, thin=True)[row]) for row in range(4)]
    work_s = [0.381, 0.205, 0.042, 0.0027]
    assert widths == pytest.approx([1000 * value / 32 for value in work_s])


def test_rows_and_totals_are_named(results):
    (axes,) = profile_figures.steps(results).axes
    assert lanes(axes) == list(PROFILED)
    texts = {text.get_text() for text in axes.texts}
    assert {"15.6 ms", "17.5 ms", "15.0 ms", "pipeline: 11.9 ms", "pipeline: 6.41 ms"} <= texts


def test_augmentation_has_one_colour_and_a_hatch_for_each_place(results):
    (axes,) = profile_figures.steps(results).axes
    red = [
        (row, patch.get_hatch())
        for row, patches in bars(axes, thin=False).items()
        for patch in patches
        if to_hex(patch.get_facecolor()) == AUGMENT_COLOUR
    ]
    assert red == [(0, "///"), (1, "///"), (2, "xxx"), (3, "xxx")]


def test_no_two_causes_look_alike():
    assert len(set(STYLES.values())) == len(STYLES)


def test_small_parts_are_one_in_bar_and_legend(results):
    figure = profile_figures.steps(results)
    named = [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]
    assert named[0] == ["read", "decode", "python", "augment", "other"]
    assert "dense" not in named[1]
    assert named[2] == ["idle"]


def test_every_cause_has_a_place_in_the_legend():
    figure = profile_figures.steps(make(profile_record("plain", EVERYTHING)))
    named = [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]
    assert named == [[*STAGES, HAND_OVER], list(KINDS), ["idle"]]


def test_the_timeline_has_a_panel_a_variant_on_one_axis(results):
    panels = profile_figures.figures(results)["timeline.png"].axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == [
        "default: 3 steps in 1,497 ms",
        "plain: 3 steps in 1,680 ms",
        "in_model: 3 steps in 1,500 ms",
        "in_model_cache: 3 steps in 1,440 ms",
    ]
    assert [axes.get_xlim() for axes in panels] == [(0, pytest.approx(1680))] * 4


def test_lanes_stand_in_the_order_that_data_takes(results):
    panels = profile_figures.figures(results)["timeline.png"].axes
    assert lanes(panels[1]) == [
        "step",
        "input wait",
        "pipeline: read",
        "pipeline: decode",
        "pipeline: augment",
        "model: compute",
    ]
    assert lanes(panels[3])[-2:] == ["model: augmentation", "model: compute"]


def test_spans_are_drawn_where_they_were(results):
    panels = profile_figures.figures(results)["timeline.png"].axes
    waits = drawn(panels[1], "wait")
    assert waits == [pytest.approx((begin, 212)) for begin in (0, 560, 1120)]
    assert drawn(panels[1], "input/augment")[0] == pytest.approx((25, 180))
    assert drawn(panels[2], "model/augmentation")[1] == pytest.approx((502, 120))


def test_waits_are_shaded_across_the_pipelines_lanes(results):
    panels = profile_figures.figures(results)["timeline.png"].axes
    assert drawn(panels[1], "shade") == drawn(panels[1], "wait")
    (shade,) = [item for item in panels[1].collections if item.get_gid() == "shade"]
    box = shade.get_paths()[0].get_extents()
    assert box.y0 < lanes(panels[1]).index("input wait") + 0.5
    assert box.y1 == lanes(panels[1]).index("pipeline: augment") + 0.5


def test_steps_have_the_traces_numbers_and_alternate(results):
    axes = profile_figures.figures(results)["timeline.png"].axes[1]
    assert [text.get_text() for text in axes.texts] == ["3", "4", "5"]
    assert len(drawn(axes, "step, odd")) == 1


def with_phase(record, phase):
    trial = replace(record.spec.trial, phase=phase)
    return replace(record, spec=replace(record.spec, trial=trial))


def test_each_phase_has_a_timeline():
    records = [with_phase(profiled("plain"), phase) for phase in ("cnn", "transfer")]
    drawn = profile_figures.figures(make(*records, phases=("cnn", "transfer")))
    assert set(drawn) == {"steps.png", "timeline-cnn.png", "timeline-transfer.png"}
    assert lanes(drawn["steps.png"].axes[0]) == ["plain (cnn)", "plain (transfer)"]


def test_no_more_than_eight_panels():
    names = tuple(f"v{k}" for k in range(10))
    record = profiled("plain")
    records = [
        replace(record, spec=replace(record.spec, trial=replace(record.spec.trial, variant=name)))
        for name in names
    ]
    panels = profile_figures.figures(make(*records, variants=names))["timeline.png"].axes
    assert [axes.get_title(loc="left").split(":")[0] for axes in panels] == list(names[:8])


def test_without_profiles_there_is_no_figure():
    assert profile_figures.figures(make()) == {}


def test_what_was_not_read_is_not_drawn():
    record = profiled("plain")
    bare = replace(record, reading=replace(record.reading, stages=(), spans=()))
    assert set(profile_figures.figures(make(bare))) == {"steps.png"}
    drawn = profile_figures.figures(make(bare, profiled("default")))
    assert len(drawn["timeline.png"].axes) == 1


def test_spans_without_a_step_still_have_an_axis():
    record = profiled("plain")
    spans = tuple(span for span in record.reading.spans if span.lane == "input/augment")
    drawn = profile_figures.figures(
        make(replace(record, reading=replace(record.reading, spans=spans)))
    )
    (axes,) = drawn["timeline.png"].axes
    assert axes.get_title(loc="left") == "plain"
    assert axes.get_xlim()[1] == pytest.approx(1325)


def test_they_are_pngs_of_a_readable_size(results):
    pngs = all_figures.figures(results)
    assert {"steps.png", "timeline.png"} <= set(pngs)
    for name in ("steps.png", "timeline.png"):
        image = Image.open(io.BytesIO(pngs[name]))
        image.load()
        assert image.width == 800
        assert 400 < image.height < 1600
        assert len(pngs[name]) < 80_000


def test_nothing_overlaps_in_the_steps(results):
    """Names at the bars' ends, the legends and the plot keep apart."""
    figure = profile_figures.steps(results)
    all_figures.canvas.png(figure)
    (axes,) = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    legends = [legend.get_window_extent() for legend in figure.legends]
    for group in (boxes, legends):
        for index, box in enumerate(group):
            assert not any(box.overlaps(other) for other in group[index + 1 :])
    assert all(box.x1 <= 800 for box in (*boxes, *legends))
    assert all(legend.y0 >= axes.get_window_extent().y1 for legend in legends)
