"""Reading the TOML files that a user may write: suites, device profiles."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.values import suggestion


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of a file; `what` it is, for the message.

    Raises:
        ConfigError: it cannot be read, or is not valid TOML; says in which line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The {what} {path} cannot be read: {error}.") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        wrong = re.sub(r"\s*\(at [^)]*\)", "", str(error))
        raise ConfigError(
            f"{path}, line {line}: not valid TOML: {wrong}. Mend that line."
        ) from error


def refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuse a key that means nothing.

    Raises:
        ConfigError: names the key, those that there are, and the one that was perhaps meant.
    """
    names = sorted(known)
    for key in table:
        if key not in names:
            raise ConfigError(
                f"{where}: unknown key {key!r}.{suggestion(key, names)} Known: {', '.join(names)}."
            )
