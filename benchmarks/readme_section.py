"""The parts of benchmarks/README.md that scripts write, between two marks each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

README = Path(__file__).parent / "README.md"


@dataclass(frozen=True)
class Section:
    """What stands between two lines of the README; a script's own."""

    begin: str
    end: str

    def write(self, made: str) -> None:
        """Put what was made into the README.

        Raises:
            BenchError: the marks are not there.
        """
        README.write_text(self.replaced(README.read_text(encoding="utf-8"), made), encoding="utf-8")

    def replaced(self, text: str, made: str) -> str:
        """The README's text with what was made between the marks.

        Raises:
            BenchError: the marks are not there.
        """
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not (begin and end):
            raise BenchError(
                f"Expected the lines {self.begin!r} and {self.end!r} in {README.name}."
            )
        return f"{before}{begin}\n\n{made}\n\n{end}{after}"
