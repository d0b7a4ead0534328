"""Which setting to try next, by KerasTuner: `python -m bench.tuning.oracle REQUEST.json`.

A process of its own, because KerasTuner imports Keras and a backend, which the study must not carry
beside its trainings.

KerasTuner's oracle keeps state of its own on disk. Here it is never kept: the oracle is made anew
and given, in their order, the answers to everything that it proposed, which brings it where it was.
So the study's records are the only truth, a study that was killed at any moment goes on from them,
and an oracle that no longer proposes what it did (another version of KerasTuner) is noticed.

Settings are drawn at random (Bergstra and Bengio 2012, JMLR 13, "Random search for hyper-parameter
optimization"), not by Bayesian optimisation: its settings crowd where accuracy is high, and then
which hyperparameter made it high cannot be told. (KerasTuner's also needs scikit-learn.)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.codec import decode, encode
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError, PlanChangedError
from bench.schema import SCHEMA_VERSION
from bench.store import write_whole
from bench.tuning.schema import Answer, Proposal, ProposalRequest
from bench.tuning.space import SPACE, Setting, setting_from

OBJECTIVE = "val_accuracy"


def main(arguments: list[str]) -> int:
    """Carry out the request in the file named first; returns the exit status."""
    path = Path(arguments[0])
    try:
        request = decode(path.read_bytes(), ProposalRequest, str(path))
        proposal = Proposal(SCHEMA_VERSION, propose(request))
        write_whole(Path(request.out), encode(proposal))
    except BenchError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def propose(request: ProposalRequest) -> Setting | None:
    """The setting behind those that were answered; None if KerasTuner has no other.

    Raises:
        PlanChangedError: KerasTuner would have proposed others than those that were answered.
    """
    from keras_tuner.engine.base_tuner import BaseTuner  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        tuner = BaseTuner(_oracle(request), directory=folder, project_name="study")
        tuner.oracle.verbose = 0
        for answer in request.answers:
            _tell(tuner, answer)
        trial = tuner.oracle.create_trial(tuner.tuner_id)
        return setting_from(trial.hyperparameters.values) if trial.status == "RUNNING" else None


def _oracle(request: ProposalRequest) -> Any:
    import keras_tuner  # type: ignore[import-untyped]

    space = keras_tuner.HyperParameters()
    for axis in SPACE:
        space.Choice(axis.name, list(axis.levels))
    return keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective(OBJECTIVE, "max"),
        max_trials=request.trials,
        seed=request.seed or 1,  # KerasTuner takes 0 for no seed and draws one
        hyperparameters=space,
        tune_new_entries=False,
        allow_new_entries=False,
        max_consecutive_failed_trials=request.trials + 1,  # failures are answers too
    )


def _tell(tuner: Any, answer: Answer) -> None:
    """Let the oracle propose, and answer it."""
    trial = tuner.oracle.create_trial(tuner.tuner_id)
    proposed = setting_from(trial.hyperparameters.values) if trial.status == "RUNNING" else None
    if proposed != answer.setting:
        raise PlanChangedError(
            f"KerasTuner no longer proposes what it did when this study began: then "
            f"{answer.setting.text}; now {proposed.text if proposed else 'nothing'}. Install the "
            "version that study.json names, or begin a new study."
        )
    if answer.accuracy is None:
        trial.status, trial.message = "INVALID", answer.why
    else:
        tuner.oracle.update_trial(trial.trial_id, {OBJECTIVE: answer.accuracy})
        trial.status = "COMPLETED"
    tuner.oracle.end_trial(trial)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
