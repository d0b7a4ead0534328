"""What of two runs, measured apart, may be held against each other; and what to know when it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.environment import Difference, must_match
from bench.evidence import Severity
from bench.gate.summary_files import Summary, Workload
from bench.report.formats import plural

_MACHINE = ("cpu_model", "cores", "memory", "gpus", "backend")
_SAME_JOB = "`leafbench check --against REF` measures both in one"


def refusal(reference: Summary, head: Summary) -> str:
    """Why nothing at all of the two may be compared; empty if something may."""
    if (reference.run_id, reference.created_at) == (head.run_id, head.created_at):
        return (
            f"{reference.where} and {head.where} are the same run ({head.run_id}): nothing of it "
            "can have changed. Give two runs."
        )
    changed = _workload_changes(reference.workload, head.workload)
    if changed:
        return (
            f"{reference.where} and {head.where} trained something else ({', '.join(changed)}): no "
            "speedup and no share of one says anything of the other. Run both with the same."
        )
    return ""


def seconds_refusal(reference: Summary, head: Summary) -> str:
    """Why seconds may not be compared, key by key; empty if they may."""
    unlike = [_shown(item) for item in must_match(reference.environment, head.environment)]
    if reference.data != head.data:
        unlike.append("the images")
    if reference.workload is None or head.workload is None:
        unlike.append("the workload, of which an older summary says nothing")
    return ", ".join(unlike)


def problems(reference: Summary, head: Summary) -> Iterator[str]:
    """What the runs' own reports say is not to be believed."""
    for summary in (reference, head):
        for remark in summary.findings:
            if remark.severity is Severity.PROBLEM:
                yield f"{summary.where} has a problem ({remark.where}): {remark.what}"


def notes(reference: Summary, head: Summary) -> Iterator[str]:
    """What to know beside the verdict, the gravest first."""
    yield (
        "nothing was measured for this verdict, so no slowdown could be planted: that the "
        "comparison can fail was not proved"
    )
    yield (
        "the intervals hold what varied inside each run, and the error rates with them; what "
        "varies from job to job on top of that is in neither"
    )
    yield from _machine_notes(reference, head)
    yield from _data_notes(reference, head)
    yield from _coverage_notes(reference, head)
    yield (
        "never compared between runs: accuracy, memory, first epochs and boundary gaps, of which a "
        "summary has no interval: `leafbench check --against REF` compares them"
    )


def _machine_notes(reference: Summary, head: Summary) -> Iterator[str]:
    unlike = must_match(reference.environment, head.environment)
    keys = [item.key for item in unlike if item.key in _MACHINE]
    if keys:
        yield (
            f"the machines differ in {', '.join(keys)}: speedups and shares move with how fast the "
            "model computes beside the cores that feed it, so a change may be the machine's"
        )
    refused = seconds_refusal(reference, head)
    if refused:
        yield f"seconds and images/s are not compared, because these differ: {refused}"
    else:
        yield (
            "seconds are compared, since machine, versions, images and workload are the same; but "
            "two runs are two jobs, and the machine may have been another one: seconds can hold a "
            f"pass up, and call nothing a regression; {_SAME_JOB}"
        )


def _data_notes(reference: Summary, head: Summary) -> Iterator[str]:
    if reference.data != head.data:
        yield (
            f"the images differ ({_images(reference)} against {_images(head)}): others are to be "
            "read and decoded, so a change may be theirs"
        )
    for summary in (reference, head):
        if summary.workload is None:
            yield (
                f"{summary.where} does not say with which batch and image size it was measured, "
                "nor how sure its shares are: an older leafbench wrote it. Write it again with "
                "`leafbench report RUN`"
            )
    if reference.claim != head.claim:
        yield (
            f"speedups are not compared: they are over {reference.claim.baseline} in "
            f"{reference.where} and over {head.claim.baseline} in {head.where}"
        )


def _coverage_notes(reference: Summary, head: Summary) -> Iterator[str]:
    for summary, other in ((reference, head), (head, reference)):
        known = {(item.variant, item.phase) for item in other.variants}
        lone = [v for v in summary.variants if (v.variant, v.phase) not in known]
        if lone:
            names = "; ".join(f"{item.variant}, {item.phase}" for item in lone)
            yield f"not compared, because only {summary.where} has it: {names}"
        if not summary.complete:
            recorded, planned = (summary.trials.get(key, 0) for key in ("recorded", "planned"))
            failed = plural(summary.trials.get("failed", 0), "trial")
            yield (
                f"{summary.where} is not whole: {recorded} of {planned} trials have a record, and "
                f"{failed} failed"
            )
    if reference.leafbench_version != head.leafbench_version:
        yield (
            f"{reference.where} is of leafbench {reference.leafbench_version}, {head.where} of "
            f"{head.leafbench_version}"
        )


def _workload_changes(reference: Workload | None, head: Workload | None) -> list[str]:
    """What was trained differently. A run without a pretrained network shares no phase with one."""
    if reference is None or head is None:
        return []
    if not (reference.backbone and head.backbone):
        reference, head = (replace(item, backbone="") for item in (reference, head))
    keys = ("batch_size", "image_size", "augment", "backbone", "device", "backend")
    pairs = [(key, getattr(reference, key), getattr(head, key)) for key in keys]
    return [f"{key}: {ours} against {theirs}" for key, ours, theirs in pairs if ours != theirs]


def _shown(difference: Difference) -> str:
    return f"{difference.key} ({difference.ours} against {difference.theirs})"


def _images(summary: Summary) -> str:
    return f"{summary.data.fingerprint[:8]}, {plural(summary.data.train_images, 'image')}"
