"""Errors that a person can act on.

LeafmodelError
 +-- DataError       the images: a folder, a file, a class, a split
 +-- PipelineError   a pipeline that cannot be built, or is not what its spec says

The message says what was expected, what was found, where, and what to do. The command line turns
every one of them into one sentence and exit status 2.
"""

from __future__ import annotations


class LeafmodelError(Exception):
    """Something that the user can mend; the message says how."""


class DataError(LeafmodelError):
    """The images are not usable as they are."""


class PipelineError(LeafmodelError):
    """A pipeline spec is impossible, or the pipeline built from it is not what the spec says."""
