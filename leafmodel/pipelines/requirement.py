"""What a loader requires on the other axes: a refusal that says why and what to set."""

from __future__ import annotations

from collections.abc import Mapping

from leafmodel.errors import PipelineError
from leafmodel.pipelines.axis_values import Axes, Decode, Delivers, axis_text

# Loaders that decode by code of their own and hand over what Keras or the device makes of it.
OTHERS_OWN_DECODING: Mapping[str, tuple[object, ...]] = {
    "decode": (Decode.FULL,),
    "delivers": (Delivers.FLOAT32,),
}


def require(spec: Axes, why: str, **expected: tuple[object, ...]) -> None:
    """Refuse a pipeline whose loader cannot have a value of an axis.

    Raises:
        PipelineError: says why, and what the axis can be.
    """
    for axis, allowed in expected.items():
        found = getattr(spec, axis)
        if found not in allowed:
            choices = " or ".join(axis_text(axis, value) for value in allowed)
            raise PipelineError(
                f"loader={spec.loader} cannot have {axis}={axis_text(axis, found)}: {why}; "
                f"set {axis}={choices}, or choose another loader."
            )
