"""The reference in git: which commit it is, and a checkout of it that is gone afterwards.

git is called without a shell and bounded in time, in English, without the user's hooks, and without
the variables by which a git that runs us (we may be in a hook) would turn it to its own repository.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench.errors import ConfigError, StoreError
from bench.gate.schema import Side
from bench.hold import hold
from bench.store import storing

WORKING_TREE = "working tree"
ASKING_TIMEOUT_S = 120.0
CHECKOUT_TIMEOUT_S = 900.0
_PREFIX = "leafbench-reference-"  # how our leftovers are known
_NEAR_NAMES = 3
_LINES_SHOWN = 4
# `git rev-parse --local-env-vars`, but for configuration: that is the user's wish everywhere.
_OF_ANOTHER_REPOSITORY = frozenset(
    (
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    )
)
_OURS = {
    "GIT_LFS_SKIP_SMUDGE": "1",  # large files stay pointers: nothing is fetched while we measure
    "GIT_OPTIONAL_LOCKS": "0",  # looking must not get in the way of the user's own git
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def find_repository(start: Path) -> Path:
    """The top folder of the git checkout that `start` is in.

    Raises:
        ConfigError: it is in none, there is no git, or git refuses the repository.
    """
    done = _git(start, "rev-parse", "--show-toplevel")
    if "not a git repository" in done.stderr:
        raise ConfigError(
            f"{start} is in no git repository, and --against compares a revision with the working "
            "tree of one: go to a checkout, or compare summaries with --baseline summary.json."
        )
    return Path(_printed(done, start).removesuffix("\n"))


def resolve(repository: Path, ref: str) -> Side:
    """The commit that `ref` stands for: a branch, a tag, a hash, `HEAD~1`.

    Raises:
        ConfigError: there is no such commit here; says what is near, and how to fetch it.
    """
    commit = _commit(repository, ref)
    if not commit:
        raise _unknown(repository, ref)
    return Side(ref, commit, _subject(repository, commit))


def working_tree(repository: Path) -> Side:
    """What is checked out, on a branch or not: HEAD's commit, dirty if files differ from it.

    Raises:
        ConfigError: the repository has no commit yet.
    """
    commit = _commit(repository, "HEAD")
    if not commit:
        raise ConfigError(
            f"{repository} has no commit yet, so there is nothing to compare with: commit first."
        )
    is_dirty = bool(changed_files(repository))
    return Side(WORKING_TREE, commit, _subject(repository, commit), is_dirty)


def changed_files(repository: Path) -> tuple[str, ...]:
    """The files that are not as in HEAD: changed, removed, or new and not ignored."""
    told = _ask(repository, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    return tuple(entry[3:] for entry in told.split("\0") if entry)


@contextmanager
def worktree(repository: Path, commit: str, parent: Path) -> Iterator[Path]:
    """A folder below `parent` with the files of a commit, removed at the end whatever happens.

    This process holds the folder while it is in use. One that a killed check left behind is held by
    nobody, and the next check removes it.

    Raises:
        ConfigError: git cannot check it out; says why.
        StoreError: the folder cannot be made.
    """
    _discard_leftovers(repository)
    with ExitStack() as stack:
        with storing(parent):
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent.resolve()))
        stack.callback(os.close, hold(folder))
        stack.callback(_discard, repository, folder)
        _ask(
            repository,
            *("worktree", "add", "--quiet", "--detach", str(folder), commit),
            timeout_s=CHECKOUT_TIMEOUT_S,
        )
        yield folder


def unfilled(folder: Path) -> tuple[str, ...]:
    """What a worktree of ours lacks, a sentence each: submodules, and files that Git LFS keeps."""
    notes = []
    if (folder / ".gitmodules").is_file():
        notes.append("The reference was checked out without its submodules (.gitmodules).")
    attributes = folder / ".gitattributes"
    if attributes.is_file() and "filter=lfs" in attributes.read_text(errors="replace"):
        notes.append("Files that Git LFS keeps are pointers in the reference (.gitattributes).")
    return tuple(notes)


def _commit(repository: Path, ref: str) -> str:
    """The full hash that `ref` stands for; empty if it is no single commit."""
    if ref.startswith("-") or not ref.isprintable():  # an option of git's, or a broken name
        return ""
    done = _git(repository, "rev-parse", "--verify", f"{ref}^{{commit}}")
    if "is ambiguous" in done.stderr and done.returncode != 0:
        raise ConfigError(f"{ref!r} stands for several objects of {repository}: write more of it.")
    found = done.stdout.strip()  # `^main` and `a..b` pass for revisions, but are no commit
    return found if done.returncode == 0 and re.fullmatch(r"[0-9a-f]{40,64}", found) else ""


def _subject(repository: Path, commit: str) -> str:
    """The first line of a commit's message, without what could steer a terminal."""
    told = _ask(repository, "rev-list", "--max-count=1", "--encoding=UTF-8", "--format=%s", commit)
    return "".join(filter(str.isprintable, told.partition("\n")[2]))


def _unknown(repository: Path, ref: str) -> ConfigError:
    names = _ask(repository, "for-each-ref", "--format=%(refname:short)").splitlines()
    same = [name for name in names if ref and name.endswith(f"/{ref}")]
    near = [*same, *difflib.get_close_matches(ref, names)]
    shown = ", ".join(list(dict.fromkeys(near))[:_NEAR_NAMES])
    meant = f" Did you mean {shown}?" if shown else ""
    return ConfigError(f"There is no revision {ref!r} in {repository}.{meant} {_fetch(repository)}")


def _fetch(repository: Path) -> str:
    if _ask(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        return (
            "This clone is shallow and may lack it: git fetch --unshallow (in a GitHub workflow, "
            "give actions/checkout `fetch-depth: 0`)."
        )
    return "If a remote has it: git fetch."


def _discard_leftovers(repository: Path) -> None:
    """Remove the worktrees that killed checks left behind: ours by name, and held by nobody."""
    for line in _ask(repository, "worktree", "list", "--porcelain").splitlines():
        key, _, path = line.partition(" ")
        if key == "worktree" and Path(path).name.startswith(_PREFIX) and _is_free(Path(path)):
            _discard(repository, Path(path))


def _is_free(folder: Path) -> bool:
    try:
        os.close(hold(folder))
    except StoreError:
        return False
    except OSError:  # the folder is gone, and only git still knows it
        return True
    return True


def _discard(repository: Path, folder: Path) -> None:
    """Remove a worktree, however much of it there is; what stays is left to the next check.

    The folder goes first: git then takes even one whose making was cut short. `git worktree prune`
    would also forget the user's own worktrees on a disk that is not mounted now.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(ConfigError):
        _git(repository, "worktree", "remove", "--force", "--force", str(folder))


def _ask(repository: Path, *arguments: str, timeout_s: float = ASKING_TIMEOUT_S) -> str:
    """What git prints.

    Raises:
        ConfigError: git fails, is not there, or takes too long.
    """
    return _printed(_git(repository, *arguments, timeout_s=timeout_s), repository)


def _git(
    folder: Path, *arguments: str, timeout_s: float = ASKING_TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    kept = {name: v for name, v in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    try:
        return subprocess.run(
            ("git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=kept | _OURS,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            "There is no git on the PATH, and --against needs it: install git, or compare "
            "summaries with --baseline summary.json."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"git {arguments[0]} did not end within {timeout_s:.0f} s in {folder}: "
            "look whether its disk or its remote hangs."
        ) from error


def _printed(done: subprocess.CompletedProcess[str], folder: Path) -> str:
    if done.returncode == 0:
        return done.stdout
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = "; ".join(re.sub(r"^(fatal|error|hint): ", "", line) for line in lines[-_LINES_SHOWN:])
    why = said or f"status {done.returncode}"
    raise ConfigError(f"git cannot work in {folder} ({done.args[5]}): {why.rstrip('.')}.")
