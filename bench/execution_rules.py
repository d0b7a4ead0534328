"""Which executions a run can have: what each backend can do, and what there is to compare with.

A variant that is executed otherwise is measured beside its own pipeline executed as usual, under a
ceiling of its own, and no claim about pipelines is about it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench import plan
from bench.backends import Backend
from bench.errors import ConfigError
from bench.schema import RunConfig
from bench.variants import Variant, variant
from leafmodel.pipelines.spec import Augment
from leafmodel.training.execution import AS_USUAL


def require_possible(config: RunConfig) -> None:
    """Refuse executions that the run cannot have.

    Raises:
        ConfigError: says which variant, why, and what to do instead.
    """
    for name in config.variants:
        chosen = variant(name)
        if chosen.execution != AS_USUAL:
            for why in (*_of_the_run(config, chosen), *_of_the_backend(config, chosen)):
                raise ConfigError(f"Variant {name!r} cannot be in this run: {why}.")


def _of_the_run(config: RunConfig, chosen: Variant) -> Iterator[str]:
    if config.device is not None:
        yield "an emulated device executes nothing; leave it out, or leave out --device"
    if chosen.name in (config.claim.baseline, config.claim.candidate):
        yield (
            "the claim is about input pipelines, and this changes how the model is executed; name "
            f"{chosen.usual} in the claim"
        )
    if chosen.usual not in config.variants:
        listed = ",".join((*config.variants, chosen.usual))
        yield f"there is nothing to compare it with; give --variants {listed}"


def _of_the_backend(config: RunConfig, chosen: Variant) -> Iterator[str]:
    execution, backend = chosen.execution, config.backend
    if backend is Backend.TENSORFLOW:
        if execution.jit_compile and plan.pipelines(config)[chosen.name].augment is Augment.MODEL:
            yield (
                "XLA has no kernel for the operation with which TensorFlow resamples, so that a "
                "model that augments cannot be compiled there; compile a variant that augments in "
                "its pipeline, such as cache_prefetch+jit_compile=true"
            )
        return
    if execution.steps_per_execution > 1:
        yield f"{_ONE_BY_ONE[backend]}; leave steps_per_execution out, or --backend"
    if execution.jit_compile:
        yield f"{_COMPILED[backend]}; leave jit_compile out, or --backend"


_ONE_BY_ONE = {
    Backend.JAX: "Keras on JAX hands its steps over one by one whatever steps_per_execution says",
    Backend.TORCH: "Keras on PyTorch has no steps_per_execution",
}
_COMPILED = {
    Backend.JAX: "on JAX every step is compiled already",
    Backend.TORCH: "on PyTorch steps run eagerly here, as Keras has it",
}
