"""`summary.json`: the results for programs. Versioned; null where there is no number."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.claim import ClaimAudit
from bench.measures import VariantResult
from bench.profile_measures import ProfileResult, WaitAccounts
from bench.report import joint, reached
from bench.report.plain import interval
from bench.report.verdict import sentences
from bench.results import RunResults
from bench.waterfall import Explanation, Waterfall

SUMMARY_VERSION = 1


def summary_json(results: RunResults) -> bytes:
    """The summary as indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(summary(results)), indent=1) + b"\n"


def summary(results: RunResults) -> dict[str, Any]:
    """The summary as plain values."""
    run = results.run
    return {
        "schema_version": SUMMARY_VERSION,
        "run_id": run.run_id,
        "created_at": run.created_at,
        "leafbench_version": run.leafbench_version,
        "command": run.command,
        "complete": not results.missing and not results.failed,
        "trials": {
            "planned": len(run.plan),
            "recorded": results.recorded,
            "failed": len(results.failed),
        },
        "environment": run.environment,
        "data": {"fingerprint": run.data.fingerprint, "train_images": run.data.train_images},
        "emulated": run.config.device is not None,
        "device": run.config.device,
        "workload": {
            "device": run.config.device.name if run.config.device else "",
            "backend": run.config.backend,
            "batch_size": run.config.batch_size,
            "image_size": run.config.image_size,
            "augment": run.config.augment,
            "backbone": run.config.backbone,
        },
        "verdict": " ".join(sentences(results)),
        "claim": _claim(results.claim),
        "claims": [_claim(audit) for audit in results.claims],
        "variants": [_variant(item) for item in results.variants],
        "beyond": [
            {
                **_variant(item),
                "execution": item.execution,
                "compared_with": item.comparison.baseline if item.comparison else None,
            }
            for item in results.beyond
        ],
        "ceilings": [
            {
                "variant": item.variant,
                "phase": item.phase,
                "steady_epoch_s": interval(item.steady_epoch_s),
                "speedup": interval(item.speedup),
            }
            for item in results.ceilings
        ],
        "causes": [causes(item) for item in results.causes],
        **joint.summary(results),
        **reached.summary(results),
        **_learning(results),
        "noise_floor": {phase: interval(floor) for phase, floor in results.noise_floor.items()},
        "profiles": [_profile(item) for item in results.profiles],
        "findings": results.findings,
    }


def _learning(results: RunResults) -> dict[str, Any]:
    """What the variants had learnt, from where, and what the images give away."""
    return {
        "races": results.races,
        "accuracy_differences": [
            {
                "variant": item.variant,
                "phase": item.phase,
                "baseline": item.baseline,
                "epochs": item.epochs,
                "difference": interval(item.difference),
                "together": interval(item.together),
                "comparisons": item.comparisons,
                "is_loss": item.is_loss,
            }
            for item in results.differences
        ],
        "starts": results.starts,
        "audit": results.audit,
    }


def causes(found: Explanation) -> dict[str, Any]:
    """The waterfalls of a phase; each rung's factors multiply to the total."""
    return {
        "phase": found.phase,
        "obstacles": found.obstacles,
        "waterfalls": [_waterfall(item) for item in found.waterfalls],
    }


def _waterfall(found: Waterfall) -> dict[str, Any]:
    together = found.interaction
    return {
        "baseline": found.baseline,
        "target": found.target,
        "total": interval(found.total),
        "rungs": [
            {
                "before": rung.before,
                "after": rung.after,
                "changes": rung.changes,
                "factor": interval(rung.factor),
                "so_far": interval(rung.so_far),
            }
            for rung in found.rungs
        ],
        "left_out": [
            {"change": item.change, "variant": item.variant, "factor": interval(item.factor)}
            for item in found.left_out
        ],
        "interaction": together and {"axes": together.axes, "factor": interval(together.factor)},
        "inseparable": found.inseparable,
        "dropped": found.dropped,
        "missing": found.missing,
        "unproved": found.unproved,
        "blocks": found.blocks,
        "shared_blocks": found.shared,
    }


def _claim(audit: ClaimAudit) -> dict[str, Any]:
    return {
        "phase": audit.phase,
        "target": audit.claim.target,
        "baseline": audit.claim.baseline,
        "candidate": audit.claim.candidate,
        "speedup": interval(audit.speedup),
        "ceiling": interval(audit.ceiling),
        "verdict": audit.verdict,
        "reasons": audit.reasons,
        "blocks_needed": audit.blocks_needed,
    }


def _variant(item: VariantResult) -> dict[str, Any]:
    return {
        "variant": item.variant,
        "phase": item.phase,
        "epochs": item.epochs,
        "steady_epoch_s": interval(item.steady_epoch_s),
        "images_per_s": item.images_per_s,
        "speedup": interval(item.speedup),
        "share_of_ceiling": item.share_of_ceiling.median if item.share_of_ceiling else None,
        "share_of_ceiling_interval": interval(item.share_of_ceiling),
        "input_wait_share": item.input_wait_share,
        "input_wait_share_interval": interval(item.wait_interval),
        "boundary_gap_s": item.boundary_gap_s,
        "longest_gap_s": item.longest_gap_s,
        "first_batch_s": item.first_batch_s,
        "first_epoch_s": item.first_epoch_s,
        "amortised_epoch_s": {str(k): value for k, value in item.amortised_s.items()},
        "amortised_speedup": {
            str(k): interval(value)
            for k, value in (item.comparison.amortised if item.comparison else {}).items()
        },
        "compute_ceiling_s": item.ceiling_s,
        "loader_ceiling_s": item.loader_epoch_s,
        "val_accuracy": item.accuracy.value if item.accuracy else None,
        "val_accuracy_by_epoch": [point.val_accuracy for point in item.curve],
        "test_accuracy": item.test_accuracy,
        "peak_rss_bytes": item.peak_rss_bytes,
        "cpu_share": item.cpu_share,
        "other_load_share": item.other_load_share,
        "trials": item.trials,
        "failed": item.failed,
        **({"made_once": item.made_once} if item.made_once else {}),
    }


def _profile(item: ProfileResult) -> dict[str, Any]:
    """Seconds are of a mean step; the parts add up to it."""
    return {
        "variant": item.variant,
        "phase": item.phase,
        "trace": item.record.trace,
        "batch_size": item.batch_size,
        "steps": item.steps,
        "step_s": item.step_s,
        "parts": item.parts,
        "work": item.work,
        "wait": _accounts(item.wait),
        "operations": [
            {"name": op.name, "place": op.place, "kind": op.kind, "self_s": item.self_s(op)}
            for op in item.operations
        ],
        "boundary_gaps_s": item.gaps_s,
        "allocator_peak_bytes": item.allocator_peak_bytes,
        "devices": item.reading.devices,
    }


def _accounts(wait: WaitAccounts) -> dict[str, Any]:
    return {
        "meter": wait.meter,
        "events": wait.events,
        "analyser": wait.analyser,
        "analyser_events": wait.analyser_events,
        "timed": wait.timed,
        "difference": wait.difference,
        "agree": wait.agree,
    }
