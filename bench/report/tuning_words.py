"""What a study says, in sentences: what matters, what was best, and whether it holds."""

from __future__ import annotations

from bench.report import formats
from bench.report.formats import joined
from bench.tuning.importance import Importance
from bench.tuning.results import StudyResults, learnt
from bench.tuning.space import AXES, DEFAULT
from leafmodel.evaluate import FEWEST_VALUES, Estimate


def sentences(results: StudyResults) -> tuple[str, ...]:
    """What follows from the numbers: what matters, and whether the best setting holds."""
    return tuple(text for text in (_matters(results), _unnamed(results), _holds(results)) if text)


def points(share: float | None, sign: bool = False) -> str:
    """A difference of accuracies in percentage points."""
    if share is None:
        return formats.NOTHING
    return f"{100 * share:{'+' if sign else ''}.1f} points"


def p_value(p: float | None) -> str:
    """Two digits, or three decimals where they are small."""
    return formats.NOTHING if p is None else f"{p:.2g}" if p >= 0.01 else f"{p:.3f}"


def _matters(results: StudyResults) -> str:
    found = results.decomposition
    if found.explained is None:
        return f"Which hyperparameters matter cannot be told: {found.why}."
    named = [item for item in found.importances if item.matters]
    count = formats.plural(found.trainings, "training")
    if not named:
        return (
            f"Over {count}, no hyperparameter explains more of the differences in validation "
            "accuracy than chance could: nothing can be told."
        )
    parts = [f"{AXES[item.name].label} {_share_text(item)}" for item in named]
    return (
        f"Of the variance of the validation accuracy over {count}, {joined(parts)}. "
        f"{_best_level(named[0])}"
    )


def _share_text(item: Importance) -> str:
    return f"makes {formats.percent(item.share)} (p {p_value(item.p)})"


def _best_level(item: Importance) -> str:
    axis = AXES[item.name]
    return (
        f"The fit is best at a {axis.label} of {item.best:g}, {points(item.swing)} above the "
        "worst one tried."
    )


def _unnamed(results: StudyResults) -> str:
    found = results.decomposition
    rest = [AXES[item.name].label for item in found.importances if not item.matters]
    if not rest or not found.named:
        return ""
    show, it, does = ("shows", "it", "does") if len(rest) == 1 else ("show", "they", "do")
    return (
        f"What {joined(rest)} {show} is within chance, which is no proof that {it} {does} not "
        "matter."
    )


def _holds(results: StudyResults) -> str:
    best, check = results.best, results.check
    if best is None:
        return "No training ended with an accuracy: there is no best setting."
    opening = (
        f"The best setting found ({best.setting.text}) reached {formats.accuracy(best.accuracy)}"
    )
    if not learnt(results.study, results.trainings):
        guess = formats.accuracy(results.study.guess)
        return (
            f"{opening}, no more than always naming the most frequent class could ({guess}): use "
            "more epochs or more images."
        )
    if best.setting == DEFAULT:
        return f"{opening}; it is the default one."
    if check.difference is None or check.best is None or check.default is None:
        return f"{opening}; whether it is better than the default was not checked."
    ours, theirs = formats.accuracy(check.best.value), formats.accuracy(check.default.value)
    seeds = formats.plural(check.pairs, "other seed")
    return (
        f"{opening} in the search. Trained again with {seeds} it reaches {ours}, the default "
        f"{theirs}: {_verdict(check.difference)}."
    )


def _verdict(difference: Estimate) -> str:
    text = f"a difference of {points(difference.value, sign=True)}"
    if difference.low is None or difference.high is None:
        return f"{text}, without an interval (that takes {FEWEST_VALUES} seeds)"
    text += f" (95% interval {points(difference.low, True)} to {points(difference.high, True)})"
    if difference.low > 0:
        return f"{text}, so it is better than the default"
    if difference.high < 0:
        return f"{text}, so it is worse than the default: its place in the search was luck"
    return f"{text}, so whether it is better than the default cannot be told"
