"""The claim map of a sweep on disk: its Markdown, its values for programs, its figures."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.errors import StoreError
from bench.mapping import Sweep
from bench.report import claim_map
from bench.store import write_whole


def write(sweep: Sweep, out: Path) -> Path:
    """Write `claim-map.md`, `claim-map.json` and a figure a phase; gives the Markdown's path.

    Raises:
        StoreError: the folder cannot be written.
    """
    from bench.report import canvas, claim_map_figure

    values = msgspec.json.format(msgspec.json.encode(claim_map.summary(sweep)), indent=1)
    files = {
        "claim-map.md": claim_map.markdown(sweep).encode(),
        "claim-map.json": values + b"\n",
        **{
            claim_map.figure_name(item, item.claim): canvas.png(claim_map_figure.draw(item))
            for item in sweep.maps
        },
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(out / name, data)
    except OSError as error:
        raise StoreError(f"The claim map cannot be written to {out}: {error}.") from error
    return out / "claim-map.md"
