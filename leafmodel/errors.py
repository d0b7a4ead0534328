"""Errors that a person can act on.

LeafmodelError
 +-- DataError       the images: a folder, a file, a class, a split
 +-- PipelineError   a pipeline that cannot be built, or is not what its spec says
 |    +-- ServiceError  a tf.data service that does not answer, or is not what was asked for
 +-- ModelError      a phase, a backbone or a trained model that does not exist or does not fit
      +-- WeightsError  a file of weights that is broken, hostile or of another network

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


class ServiceError(PipelineError):
    """A tf.data service does not answer, could not begin, or lost what it had begun."""


class ModelError(LeafmodelError):
    """A phase, a backbone or a trained model does not exist, or does not fit."""


class WeightsError(ModelError):
    """A file of weights is broken, hostile, or belongs to another network."""
