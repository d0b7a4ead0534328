"""What a comparison of two runs reads of each: its `summary.json`, or the folder of its records.

`bench.report.summary` writes that file. Only what is compared is read here, and what decides
whether it may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import RecordError
from bench.evidence import Severity
from bench.report.summary import SUMMARY_VERSION, summary_json
from bench.results import compute
from bench.schema import Environment, require
from bench.store import read


@dataclass(frozen=True)
class Measured:
    """A centre with its 95 % interval; both ends None where there are too few blocks for one."""

    median: float
    low: float | None
    high: float | None
    blocks: int

    def __post_init__(self) -> None:
        require((self.low is None) == (self.high is None), "an interval has both ends or neither")
        low = self.median if self.low is None else self.low
        high = self.median if self.high is None else self.high
        require(low <= self.median <= high, f"{self.median} is not inside {low} to {high}")


@dataclass(frozen=True)
class VariantSummary:
    """One (variant, phase) of a run; what is None was not measured.

    Older summaries lack the intervals of the two shares.
    """

    variant: str
    phase: str
    steady_epoch_s: Measured | None
    speedup: Measured | None
    share_of_ceiling: float | None
    input_wait_share: float | None
    share_of_ceiling_interval: Measured | None = None
    input_wait_share_interval: Measured | None = None

    def __post_init__(self) -> None:
        for key in ("steady_epoch_s", "speedup", "share_of_ceiling_interval"):
            value = getattr(self, key)
            lowest = value and (value.median if value.low is None else value.low)
            require(lowest is None or lowest > 0, f"{key} must be above 0, found {lowest}")
        share = self.share_of_ceiling
        require(share is None or share > 0, f"share_of_ceiling must be above 0, found {share}")

    @property
    def ceiling(self) -> Measured | None:
        """The share of the compute ceiling that was reached; 1 is as fast as can be."""
        return self.share_of_ceiling_interval or _bare(self.share_of_ceiling)

    @property
    def wait(self) -> Measured | None:
        """The share of its steps that it waited for input."""
        return self.input_wait_share_interval or _bare(self.input_wait_share)


@dataclass(frozen=True)
class Images:
    """The images of a run: which, and how many it trained on."""

    fingerprint: str
    train_images: int


@dataclass(frozen=True)
class Workload:
    """What every trial of a run was given; `backbone` is empty if no phase has a pretrained one.

    `device` is the one that was emulated, empty where the machine's own was measured; `backend` is
    what Keras trained on.
    """

    batch_size: int
    image_size: int
    augment: bool
    backbone: str
    device: str = ""
    backend: str = "tensorflow"


@dataclass(frozen=True)
class Baseline:
    """Of a claim: what all speedups of the run are over."""

    baseline: str


@dataclass(frozen=True)
class Remark:
    """A finding of the run's report."""

    severity: Severity
    what: str
    where: str


@dataclass(frozen=True)
class Summary:
    """A run, as far as it can be held against another one.

    Attributes:
        where: the file or folder, as it was asked for.
        workload: None in the summary of an older leafbench.
    """

    run_id: str
    created_at: str
    leafbench_version: str
    complete: bool
    trials: Mapping[str, int]
    environment: Environment
    data: Images
    claim: Baseline
    variants: tuple[VariantSummary, ...]
    findings: tuple[Remark, ...]
    workload: Workload | None = None
    where: str = ""


def load(path: Path) -> Summary:
    """The summary in a file; or, of a run's folder, what its records say today.

    Raises:
        RecordError: not a whole summary of a run, or one from a newer leafbench.
        StoreError: the folder is not a run.
    """
    return of_run(path) if path.is_dir() else read_file(path)


def read_file(path: Path) -> Summary:
    """The summary in a `summary.json`.

    Raises:
        RecordError: it cannot be read, is not a summary of a run, or is from a newer leafbench.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read: {error.strerror}. Expected the summary.json that "
            "`leafbench run` or `leafbench report` wrote into the folder of a run."
        ) from error
    return parse(data, str(path))


def of_run(folder: Path) -> Summary:
    """The summary of a run, computed anew from its records.

    Raises:
        StoreError: there is no run, or a record of it cannot be read.
    """
    stored = read(folder)
    if stored.broken:
        raise stored.broken[0]
    results = compute(
        stored.run, stored.trials, stored.proofs, stored.profiles, stored.starts, stored.audit
    )
    return parse(summary_json(results), str(folder))


def parse(data: bytes, where: str) -> Summary:
    """The summary in `data`.

    Raises:
        RecordError: not JSON (half written?), not the summary of a run, or a newer one.
    """
    try:
        head = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{where} is not a whole JSON file ({error}): it was cut off, or is not a summary. "
            "Write it again with `leafbench report RUN`."
        ) from error
    _require_summary(head, where)
    try:
        return replace(msgspec.convert(head, type=Summary), where=where)
    except msgspec.ValidationError as error:
        raise RecordError(
            f"{where} is not a valid summary of a run: {error}. Write it again with "
            "`leafbench report RUN`."
        ) from error


def _bare(value: float | None) -> Measured | None:
    return None if value is None else Measured(value, None, None, 0)


def _require_summary(head: Mapping[str, Any], where: str) -> None:
    version = head.get("schema_version")
    if not isinstance(version, int) or not {"run_id", "variants", "claim"} <= head.keys():
        raise RecordError(
            f"{where} is not the summary of a run: expected schema_version, run_id, variants and "
            f"claim, found {', '.join(list(head)[:6]) or 'nothing'}. Give the summary.json of a "
            "folder that `leafbench run` made."
        )
    if version > SUMMARY_VERSION:
        raise RecordError(
            f"{where} is a summary of version {version}, this leafbench reads up to "
            f"{SUMMARY_VERSION}: install the leafbench that wrote it, or a newer one."
        )
