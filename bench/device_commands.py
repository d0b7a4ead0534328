"""The commands `leafbench device ...`; whatever they need is imported inside them."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def device() -> None:
    """Write down what a device takes, to emulate it elsewhere."""


@device.command("measure")
@click.argument("folder", metavar="RUN")
@click.option("--out", required=True, metavar="FILE", help="The profile to write (TOML).")
@click.option("--bytes-per-s", type=float, help="Host to device; a GPU's profile needs it.")
@click.option("--ahead", type=int, help="Batches that run ahead.  [0; 2 with a GPU, assumed]")
def measure(folder: str, out: str, bytes_per_s: float | None, ahead: int | None) -> None:
    """Write a profile of the device that RUN was measured on, from its compute ceilings.

    Then, on any machine: leafbench run --device FILE
    """
    from bench import device_measure
    from bench.results import compute
    from bench.store import read, storing, write_whole

    stored = read(Path(folder))
    results = compute(stored.run, stored.trials, stored.proofs)
    found = device_measure.profile(results, bytes_per_s, ahead)
    with storing(Path(out)):
        write_whole(Path(out), device_measure.text(found).encode())
    click.echo(f"{found.summary}\nProfile: {out}")
