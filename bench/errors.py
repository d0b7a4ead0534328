"""Errors that end a command, each with the exit status that the command line returns for it.

BenchError (2)
 +-- ConfigError      a suite, a flag, a variant or a phase that does not exist or cannot be
 +-- StoreError       a run folder that cannot be read or written
 |    +-- RecordError a record that is half written, foreign, or from a newer leafbench
 +-- WorkerFailedError a process that did not end well
 +-- MergeError       runs that must not become one
 +-- PlanChangedError `--resume` of a run whose plan, images or versions are not today's

Exit statuses of `leafbench`: 0 fine, 1 some trials failed, 2 wrong usage or data, 70 a fault of
leafbench's own (EX_SOFTWARE in sysexits.h), 130 interrupted, 141 nobody read the output (as a shell
has it: 128 and the number of SIGPIPE). Each command's help says what it adds.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_TRIALS_FAILED = 1
EXIT_USAGE = 2
EXIT_FAULT = 70
EXIT_INTERRUPTED = 130
EXIT_UNREAD = 141


class BenchError(Exception):
    """Something that the user can mend; the message says how."""

    exit_code = EXIT_USAGE


class ConfigError(BenchError):
    """A suite, a flag, a variant or a phase that does not exist or cannot be."""


class StoreError(BenchError):
    """A run folder that cannot be read or written."""


class RecordError(StoreError):
    """A record that is half written, foreign, or from a newer leafbench."""


class WorkerFailedError(BenchError):
    """A process that did not end well; the message says why, and what may mend it."""


class MergeError(BenchError):
    """Runs that must not become one: no shards, or shards of something else."""


class PlanChangedError(BenchError):
    """A run cannot go on: its plan, its images or the installed versions have changed."""
