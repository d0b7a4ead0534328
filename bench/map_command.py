"""The command `leafbench claim-map`; whatever it needs is imported inside it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("claim-map")
@click.argument("folders", metavar="RUN...", nargs=-1, required=True)
@click.option("--out", metavar="DIR", help="Write the map there: Markdown, JSON, a figure a phase.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def claim_map(folders: tuple[str, ...], out: str | None, as_json: bool) -> None:
    """Say for which devices the claim holds, from emulated runs with different steps.

    Each RUN was made with the same options but another leafbench run --device emulated:step=...
    """
    from bench import console
    from bench.mapping import of_runs

    console.claim_map(of_runs([Path(folder) for folder in folders]), out, as_json)
