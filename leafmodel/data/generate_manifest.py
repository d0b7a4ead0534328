"""The manifest of a folder of generated images, and files that are whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from leafmodel.errors import DataError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
PARTIAL_NAME = "manifest.partial.json"
TEMPORARY_SUFFIX = ".part"


@dataclass(frozen=True)
class Manifest:
    """What a complete folder holds. The fingerprint is over every file's path and SHA-256."""

    schema_version: int
    generator_version: int
    images: int
    size: int
    seed: int
    counts: Mapping[str, int]
    fingerprint: str


def read_manifest(out: Path) -> Manifest | None:
    """The manifest of a complete folder; None where there is none (yet)."""
    return read_as_manifest(out / MANIFEST_NAME)


def fingerprint_of(digests: Mapping[str, str]) -> str:
    """One SHA-256 over the sorted (relative path, SHA-256 of the bytes)."""
    lines = "".join(f"{path} {digests[path]}\n" for path in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """A reader sees the whole file or none: write beside it, then rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def to_json(manifest: Manifest) -> bytes:
    """Readable, and the same for the same manifest."""
    return (json.dumps(asdict(manifest), indent=2) + "\n").encode()


def read_as_manifest(path: Path) -> Manifest | None:
    """The manifest in this file, complete or only begun; None where there is no file."""
    try:
        fields = json.loads(path.read_bytes())
        manifest = Manifest(**fields)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path}: expected the manifest of generated images, found something else ({error}); "
            "name another folder, or delete this one"
        ) from error
    if manifest.schema_version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: expected schema_version {SCHEMA_VERSION}, found {manifest.schema_version}; "
            "generate the images again in another folder"
        )
    return manifest
