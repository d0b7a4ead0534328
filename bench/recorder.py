"""For a training script of one's own: a Keras callback that leaves the record that a gate reads.

    from bench.recorder import Recorder

    model.fit(dataset, epochs=20, callbacks=[..., Recorder(images=5_000)])

Where the environment names a folder (`LEAFBENCH_OUT`), the training leaves a `TrialRecord` in it;
elsewhere the callback does nothing at all. Put it last: what the callbacks before it do when an
epoch ends is then part of the epoch.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.turns import OUT_VARIABLE

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


def Recorder(  # noqa: N802 - it stands where a script names a callback's class
    variant: str = "train",
    phase: str = "mine",
    *,
    images: int,
    accuracy: str | None = None,
    out: Path | str | None = None,
) -> Any:
    """A callback that records one `fit`; where no folder is named, one that does nothing.

    Args:
        variant, phase: what the record is called by; together they name its file. A script that
            calls `fit` twice gives each call a recorder of its own, with another phase.
        images: images that an epoch trains on.
        accuracy: the metric that counts as accuracy, by its name in the logs. None: `accuracy`, if
            there is one.
        out: the folder for the record; None: what `LEAFBENCH_OUT` says.

    Raises:
        ConfigError: a name that cannot be a file's, or no images.
    """
    for name in (variant, phase):
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"Expected a variant and a phase of letters, digits and . + - _, found {name!r}."
            )
    if images < 1:
        raise ConfigError(f"Expected the number of images that an epoch trains on, found {images}.")
    folder = out or os.environ.get(OUT_VARIABLE)
    if not folder:
        import keras

        return keras.callbacks.Callback()
    from bench.recording import Recording

    return Recording(variant, phase, Path(folder), images, accuracy)
