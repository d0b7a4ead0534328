"""What this machine is good for, as values: what was found, what will not work, how to mend it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench import environment
from bench.schema import Environment

GIB = 2**30
NOISY = 0.05
NEEDED_MEMORY = 4 * GIB
PAPER_CACHE_BYTES = 17_728 * 256 * 256 * 3
NEEDED_DISK = 2 * GIB

# The module to look for, the package that has it, what does not work without it.
_NEEDED = (
    ("tensorflow", "tensorflow", "nothing can be trained"),
    ("keras", "keras", "nothing can be trained"),
    ("scipy", "scipy", "the variant default cannot augment"),
    ("PIL", "pillow", "images cannot be checked"),
    ("cv2", "opencv-python-headless", "leaves cannot be generated"),
    ("psutil", "psutil", "trials cannot see other load on the machine"),
    ("matplotlib", "matplotlib", "reports cannot be made"),
    ("pandas", "pandas", "the variant default cannot read its list of files"),
)


class Severity(StrEnum):
    """Whether something will fail, or only be worth less."""

    PROBLEM = "problem"
    WARNING = "warning"


@dataclass(frozen=True)
class Advice:
    """Something that will not work, or not well, and how to mend it."""

    severity: Severity
    what: str
    remedy: str


@dataclass(frozen=True)
class Diagnosis:
    """The machine as it is now."""

    environment: Environment
    disk_free_bytes: int
    advice: tuple[Advice, ...]

    @property
    def healthy(self) -> bool:
        """Whether a run can work at all."""
        return all(item.severity is not Severity.PROBLEM for item in self.advice)


def diagnose(folder: Path = Path()) -> Diagnosis:
    """Examine this machine and the disk that `folder` lies on."""
    machine = environment.read()
    free = shutil.disk_usage(folder).free
    return Diagnosis(machine, free, tuple(_advice(machine, free, _installed)))


def rows(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """What was found, as pairs to print."""
    machine = diagnosis.environment
    return [
        ("processor", machine.cpu_model),
        ("cores", str(machine.cores)),
        ("memory", f"{machine.memory_bytes / GIB:.1f} GiB"),
        ("disk free", f"{diagnosis.disk_free_bytes / GIB:.1f} GiB"),
        ("GPU", ", ".join(machine.gpus) or "none"),
        ("system", machine.platform),
        ("python", machine.python),
        *sorted(machine.versions.items()),
        ("Keras backend", machine.backend),
        ("noise now", f"{machine.noise:.1%} (spread of a fixed piece of work)"),
        ("load", f"{machine.load_1min:.2f} over the last minute"),
    ]


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _advice(
    machine: Environment, disk_free: int, installed: Callable[[str], bool]
) -> Iterator[Advice]:
    yield from _software(installed)
    yield from _hardware(machine, disk_free)
    yield from _quiet(machine)


def _software(installed: Callable[[str], bool]) -> Iterator[Advice]:
    for module, package, lost in _NEEDED:
        if not installed(module):
            yield Advice(
                Severity.PROBLEM,
                f"{package} is not installed: {lost}",
                f"pip install {package} (or make install)",
            )


def _hardware(machine: Environment, disk_free: int) -> Iterator[Advice]:
    if machine.memory_bytes < NEEDED_MEMORY:
        yield Advice(
            Severity.PROBLEM,
            f"{machine.memory_bytes / GIB:.1f} GiB of memory: trials may be killed",
            "use the suite smoke, or a smaller --image-size and --batch-size",
        )
    elif machine.memory_bytes < PAPER_CACHE_BYTES + NEEDED_MEMORY:
        yield Advice(
            Severity.WARNING,
            f"the decoded images of the suite paper take {PAPER_CACHE_BYTES / GIB:.1f} GiB: "
            "variants with a cache may be killed there",
            "use the suite quick or full, or leave those variants out with --variants",
        )
    if disk_free < NEEDED_DISK:
        yield Advice(
            Severity.WARNING,
            f"{disk_free / GIB:.1f} GiB of disk free: a run may stop in the middle",
            f"free {NEEDED_DISK // GIB} GiB, or give --out another place",
        )
    if not machine.gpus:
        yield Advice(
            Severity.WARNING,
            "no GPU: training is compute-bound on a CPU, so that input pipelines matter little",
            "expect the claim to be impossible here; on a machine with an NVIDIA GPU, "
            "pip install 'leafbench[cuda]'",
        )
    if machine.cores < 2:
        yield Advice(
            Severity.WARNING,
            "one core: parallel and prefetching pipelines have nothing to run beside",
            "use a machine with two cores or more, or raise the container's CPU limit",
        )


def _quiet(machine: Environment) -> Iterator[Advice]:
    if machine.noise > NOISY:
        yield Advice(
            Severity.WARNING,
            f"the machine is noisy: the same work takes {machine.noise:.0%} more or less",
            "stop other programs, use mains power and a fixed clock, or measure more --blocks",
        )
    if machine.load_1min > 0.5 * machine.cores:
        yield Advice(
            Severity.WARNING,
            f"a load of {machine.load_1min:.1f} on {machine.cores} cores: other work is running",
            "wait for it to end, or stop it",
        )
