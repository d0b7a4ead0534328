"""Records to bytes and back: versioned JSON, refused whole or read whole."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from bench.errors import RecordError
from bench.schema import SCHEMA_VERSION

T = TypeVar("T")


def encode(record: object) -> bytes:
    """The record as indented JSON, ending in a newline.

    Raises:
        RecordError: it holds the name of a file or folder that is not UTF-8, as JSON must be.
    """
    try:
        return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    except UnicodeEncodeError as error:
        raise RecordError(
            f"Records are UTF-8, and {error.object!a} is not: rename that file or folder."
        ) from error


def decode(data: bytes, kind: type[T], where: str) -> T:
    """The record of type `kind` in `data`.

    Raises:
        RecordError: not JSON (half written?), not this kind of record, or a newer schema.
    """
    try:
        head = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RecordError(
            f"{where} is not a whole JSON record ({error}): it was cut off while being written, or "
            "is not ours. Delete it and run again with --resume."
        ) from error
    version = head.get("schema_version")
    if not isinstance(version, int):
        raise RecordError(f"{where} has no schema_version: it is not a leafbench record.")
    if version > SCHEMA_VERSION:
        raise RecordError(
            f"{where} has schema {version}, this leafbench reads up to {SCHEMA_VERSION}: "
            "install the leafbench that wrote it, or a newer one."
        )
    try:
        return msgspec.convert(head, type=kind)
    except msgspec.ValidationError as error:
        raise RecordError(f"{where} is not a valid {kind.__name__}: {error}.") from error
