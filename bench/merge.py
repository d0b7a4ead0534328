"""Shards of one run become a run, or a sentence says why they must not. Pure: records in and out.

A block comes whole from one shard, so each ratio stays on one machine. Proofs are strict: a variant
is proved only if it was proved wherever it was timed, and one failed proof outweighs the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from bench.audit import AuditRecord
from bench.changes import image_changes, plan_changes
from bench.environment import HARDWARE, Difference, must_match
from bench.errors import MergeError
from bench.profile_schema import ProfileRecord
from bench.requests import WorkerFiles
from bench.schema import (
    Environment,
    RunConfig,
    RunPart,
    RunRecord,
    Shard,
    StartRecord,
    TrialKind,
    TrialRecord,
    TrialStatus,
    VariantProof,
)
from bench.shards import ACROSS, blocks_of
from bench.store import StoredRun

# Where suite and images lie says nothing of what they are: the other keys and the fingerprint do.
_PLACES = ("suite", "data")


@dataclass(frozen=True, eq=False)
class Share:
    """A shard's folder as it was read."""

    folder: Path
    stored: StoredRun
    split: WorkerFiles

    @property
    def run(self) -> RunRecord:
        """Its head."""
        return self.stored.run

    @property
    def shard(self) -> Shard:
        """Which one it is.

        Raises:
            MergeError: it is none.
        """
        if self.run.parts:
            raise MergeError(
                f"{self.folder} was merged already: name the shards that it was made from "
                f"({', '.join(part.run_id for part in self.run.parts)}) and the others with them."
            )
        if self.run.shard is None:
            raise MergeError(
                f"{self.folder} is a whole run, no shard of one: only runs that were made with "
                "leafbench run --shard I/N can be merged."
            )
        return self.run.shard

    def of_block(self, block: int) -> dict[str, TrialRecord]:
        """The records of a block, by name."""
        return {r.spec.name: r for r in self.stored.trials if r.spec.block == block}


@dataclass(frozen=True)
class Merged:
    """A merged run; what has files of its own comes with the share that has them."""

    run: RunRecord
    split: WorkerFiles
    trials: tuple[tuple[Share, TrialRecord], ...]
    proofs: tuple[VariantProof, ...]
    profiles: tuple[tuple[Share, ProfileRecord], ...]
    starts: tuple[tuple[Share, StartRecord], ...]
    audit: AuditRecord | None


def merge(
    given: Sequence[Share], out: Path, created_at: str, *, across_machines: bool = False
) -> Merged:
    """One run, to lie in `out`, from what the shards have; what they lack, its report says.

    Raises:
        MergeError: they are not shards of one run, or two have the same block; names the keys.
    """
    shares = sorted(given, key=lambda share: share.shard.number)
    for share in shares:
        _require_own(share)
        _require_alike(shares[0], share)
    if not across_machines:
        _require_one_machine(shares)
    sources = _sources(shares)
    used = [share for share in shares if share in sources.values()]
    if not used:
        raise MergeError("None of these shards has a record yet: there is nothing to merge.")
    words = ("leafbench", "merge", str(out), *(str(share.folder) for share in given))
    run = replace(
        used[0].run,
        run_id=out.name,
        created_at=created_at,
        command=(*words, ACROSS) if across_machines else words,
        environment=_together([share.run.environment for share in used]),
        shard=None,
        parts=tuple(_part(share, sources) for share in used),
    )
    profiled = sources.get(0)  # of the first shard, and from the machine that has its first block
    return Merged(
        run=run,
        split=used[0].split,
        trials=tuple(
            (share, record)
            for block, share in sorted(sources.items(), key=lambda item: item[0])
            for record in share.of_block(block).values()
        ),
        proofs=tuple(_proofs(used)),
        profiles=tuple((profiled, p) for p in profiled.stored.profiles) if profiled else (),
        starts=tuple((share, start) for share in used for start in share.stored.starts),
        audit=next((share.stored.audit for share in used if share.stored.audit), None),
    )


def _require_own(share: Share) -> None:
    """Records that are not of this shard's plan would bring another block's ratios with them."""
    planned = {spec.name: spec for spec in share.run.plan}
    own = blocks_of(share.shard, share.run.config.blocks)
    for record in share.stored.trials:
        spec = record.spec
        if planned.get(spec.name) != spec or spec.block not in own:
            raise MergeError(
                f"{share.folder}/trials/{spec.name}.json is no trial of shard {share.shard} of its "
                "run: it was put or changed there. Take it out, and merge again."
            )


def _require_alike(first: Share, other: Share) -> None:
    changes = list(_changes(first, other))
    if changes:
        listed = "\n".join(f"  {change}" for change in changes)
        raise MergeError(
            f"{first.folder} and {other.folder} are not shards of one run. They differ in:\n"
            f"{listed}\nMake every shard with the same options, images and versions; only --shard, "
            "--out and the place of the images may differ."
        )


def _changes(first: Share, other: Share) -> Iterator[str]:
    """Everything that parts two shards but the machine, `key: first -> other`."""
    ours, theirs = first.run, other.run
    asked, other_asked = _values(ours.config), _values(theirs.config)
    config = [
        f"{key}: {value} -> {other_asked[key]}"
        for key, value in asked.items()
        if value != other_asked[key]
    ]
    yield from config or plan_changes(ours.plan, theirs.plan)
    yield from image_changes(ours.data, theirs.data)
    if ours.data.fingerprint == theirs.data.fingerprint and first.split != other.split:
        yield "split.json: which images train and which validate"
    if first.shard.of != other.shard.of:
        yield f"shard: of {first.shard.of} -> of {other.shard.of}"
    if ours.leafbench_version != theirs.leafbench_version:
        yield f"leafbench: {ours.leafbench_version} -> {theirs.leafbench_version}"
    for item in must_match(ours.environment, theirs.environment):
        if item.key not in HARDWARE:
            yield f"{item.key}: {item.ours} -> {item.theirs}"


def _values(config: RunConfig) -> dict[str, object]:
    """What decides what a run does, key by key; not the places of suite and images."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    claim = values.pop("claim")
    claimed = {f"claim.{field.name}": getattr(claim, field.name) for field in fields(claim)}
    return {key: value for key, value in values.items() if key not in _PLACES} | claimed


def _require_one_machine(shares: Sequence[Share]) -> None:
    first = shares[0]
    for other in shares[1:]:
        found = must_match(first.run.environment, other.run.environment)
        if found:
            raise MergeError(
                f"{first.folder} and {other.folder} were measured on machines that differ:\n"
                f"{_listed(found)}\nA speedup is about a machine, and one over blocks of several "
                f"is true of none. Give {ACROSS} to merge them all the same (the report will say "
                "so), or make every shard on machines that are alike."
            )


def _listed(found: Iterable[Difference]) -> str:
    return "\n".join(f"  {item.key}: {item.ours} -> {item.theirs}" for item in found)


def _sources(shares: Sequence[Share]) -> dict[int, Share]:
    """Block -> the share that it is taken from; of equal copies the first."""
    sources: dict[int, Share] = {}
    for share in shares:
        for block in blocks_of(share.shard, share.run.config.blocks):
            records = share.of_block(block)
            if not records:
                continue
            known = sources.setdefault(block, share)
            _require_same(known, share, known.of_block(block), records)
    return sources


def _require_same(
    known: Share, other: Share, ours: Mapping[str, TrialRecord], theirs: Mapping[str, TrialRecord]
) -> None:
    if ours == theirs:
        return
    unlike = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    raise MergeError(
        f"{known.folder} and {other.folder} have the same block, measured differently: "
        f"{', '.join(unlike)}. A block is taken whole from one folder: leave one of the two out, "
        "and do not choose by their numbers."
    )


def _part(share: Share, sources: Mapping[int, Share]) -> RunPart:
    return RunPart(
        run_id=share.run.run_id,
        created_at=share.run.created_at,
        command=share.run.command,
        shard=share.shard,
        blocks=tuple(sorted(block for block, source in sources.items() if source is share)),
        environment=share.run.environment,
    )


def _together(machines: Sequence[Environment]) -> Environment:
    """What all the machines have: every name, the least cores and memory, the most noise."""
    gpus = dict.fromkeys(machine.gpus for machine in machines)
    return replace(
        machines[0],
        platform=_names(machine.platform for machine in machines),
        cpu_model=_names(machine.cpu_model for machine in machines),
        cores=min(machine.cores for machine in machines),
        memory_bytes=min(machine.memory_bytes for machine in machines),
        gpus=tuple(name for names in gpus for name in names),
        noise=max(machine.noise for machine in machines),
        load_1min=max(machine.load_1min for machine in machines),
        clock_resolution_ns=max(machine.clock_resolution_ns for machine in machines),
    )


def _names(values: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(values))


def _proofs(shares: Sequence[Share]) -> Iterator[VariantProof]:
    """One proof a variant, the worst; none where a share timed it without."""
    for variant in shares[0].run.config.variants:
        found = [(share, _proof(share, variant)) for share in shares]
        proofs = [proof for _, proof in found if proof is not None]
        unproved = any(proof is None and _timed(share, variant) for share, proof in found)
        if proofs and not unproved:
            yield min(proofs, key=lambda proof: proof.ok)


def _proof(share: Share, variant: str) -> VariantProof | None:
    return next((proof for proof in share.stored.proofs if proof.variant == variant), None)


def _timed(share: Share, variant: str) -> bool:
    return any(
        record.status is TrialStatus.OK
        and record.spec.kind is TrialKind.TRAIN
        and record.spec.variant == variant
        for record in share.stored.trials
    )
