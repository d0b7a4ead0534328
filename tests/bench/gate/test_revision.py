from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.gate import revision
from bench.gate.schema import Side
from bench.hold import hold

LEFTOVER = "leafbench-reference-left"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Leaf", "-c", "user.email=leaf@example.org")
    command = ("git", "-C", str(folder), *identity, "-c", "protocol.file.allow=always", *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str, **files: str) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def worktrees(repository: Path) -> list[str]:
    lines = git(repository, "worktree", "list", "--porcelain").splitlines()
    return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):  # the same hashes every time
        monkeypatch.setenv(name, "2024-01-01T00:00:00Z")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on `main`; the first is tagged v1."""
    folder = (tmp_path / "repository").resolve()
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "Plant a leaf", leaf="green")
    git(folder, "tag", "--annotate", "v1", "--message", "first")
    commit(folder, "Let it fall", leaf="brown")
    return folder


@pytest.fixture
def hollow(tmp_path: Path) -> Path:
    """A folder that stands in no repository, wherever the tests' own folder is."""
    folder = tmp_path / "hollow"
    folder.mkdir()
    return folder


# --- the repository --------------------------------------------------------------------------


def test_repository_is_found_from_a_folder_inside_it(repository: Path) -> None:
    inside = repository / "a" / "b"
    inside.mkdir(parents=True)
    assert revision.find_repository(inside) == repository


def test_folder_outside_any_repository_is_refused_with_another_way(
    hollow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(hollow.parent))
    with pytest.raises(ConfigError, match=r"hollow is in no git repository.*--baseline"):
        revision.find_repository(hollow)


def test_missing_git_is_a_sentence(hollow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(hollow))
    with pytest.raises(ConfigError, match="no git on the PATH"):
        revision.find_repository(hollow)


def test_git_that_hangs_is_a_sentence(hollow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = hollow / "git"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(hollow))
    with pytest.raises(ConfigError, match="git rev-parse did not end within 0 s"):
        revision._git(hollow, "rev-parse", timeout_s=0.05)


def test_what_git_complains_of_is_told_without_its_prefixes(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    with pytest.raises(ConfigError, match=r"bare \(rev-parse\): this operation must be run in"):
        revision.find_repository(bare)


def test_repository_of_a_calling_git_is_not_taken_for_ours(
    repository: Path, hollow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(hollow / "nothing"))
    assert revision.find_repository(repository) == repository
    assert revision.resolve(repository, "main").subject == "Let it fall"
    with revision.worktree(repository, "v1", hollow) as folder:
        assert (folder / "leaf").read_text() == "green"


# --- revisions -------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", ["v1", "HEAD~1", "main^", "HEAD^{/Plant}"])
def test_revision_is_its_commit_and_subject(repository: Path, ref: str) -> None:
    first = git(repository, "rev-parse", "v1^{commit}")
    assert revision.resolve(repository, ref) == Side(ref, first, "Plant a leaf")


@pytest.mark.parametrize(
    "ref", ["nope", "", "--all", "^main", "v1..main", "main:leaf", "0" * 40, "a\0b", "a\nb"]
)
def test_what_is_no_single_commit_is_refused(repository: Path, ref: str) -> None:
    with pytest.raises(ConfigError, match="There is no revision"):
        revision.resolve(repository, ref)


def test_unknown_revision_names_what_is_near(repository: Path) -> None:
    git(repository, "update-ref", "refs/remotes/origin/faster", "HEAD")
    with pytest.raises(ConfigError, match=r"'faster'.* Did you mean origin/faster\?.*git fetch"):
        revision.resolve(repository, "faster")
    with pytest.raises(ConfigError, match=r"'mian'.* Did you mean main\?"):
        revision.resolve(repository, "mian")
    with pytest.raises(ConfigError) as told:
        revision.resolve(repository, "zzzzzz")
    assert "Did you mean" not in str(told.value)


def test_shallow_clone_says_how_to_fetch_the_rest(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(ConfigError, match=r"'HEAD~1'.*shallow.*git fetch --unshallow"):
        revision.resolve(tmp_path / "shallow", "HEAD~1")


def test_ambiguous_hash_asks_for_more_of_it(repository: Path) -> None:
    seen: dict[str, str] = {}
    for number in range(2_000):
        blob = f"commit of nothing {number}"
        name = _hash_of(blob)
        if name[:4] in seen:
            break
        seen[name[:4]] = blob
    for text in (seen[name[:4]], blob):
        subprocess.run(
            ("git", "-C", str(repository), "hash-object", "-w", "--stdin"),
            input=text.encode(),
            check=True,
            capture_output=True,
        )
    with pytest.raises(ConfigError, match=f"'{name[:4]}' stands for several objects"):
        revision.resolve(repository, name[:4])


def _hash_of(text: str) -> str:
    import hashlib

    return hashlib.sha1(f"blob {len(text)}\0{text}".encode()).hexdigest()


def test_subject_cannot_steer_a_terminal(repository: Path) -> None:
    commit(repository, "Grow \x1b[31mred\x1b[0m leaves\n\nand more")
    assert revision.resolve(repository, "HEAD").subject == "Grow [31mred[0m leaves"


# --- the working tree ------------------------------------------------------------------------


def test_clean_working_tree_is_its_commit(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert revision.working_tree(repository) == Side("working tree", head, "Let it fall")


def test_working_tree_of_a_detached_head(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach", "v1")
    assert revision.working_tree(repository).subject == "Plant a leaf"


def test_dirty_working_tree_counts_changed_and_new_files(repository: Path) -> None:
    commit(repository, "Ignore", ignored="", other="", **{".gitignore": "ignored*\n"})
    (repository / "leaf").write_text("yellow")
    (repository / "other").unlink()
    (repository / "ignored-too").write_text("")
    (repository / "new").mkdir()
    for name in ("a b", "c\nd"):
        (repository / "new" / name).write_text("")
    assert revision.working_tree(repository).dirty
    changed = {"leaf", "other", "new/a b", "new/c\nd"}
    assert set(revision.changed_files(repository)) == changed


def test_renamed_file_is_one_removed_and_one_new(repository: Path) -> None:
    git(repository, "mv", "leaf", "needle")
    assert sorted(revision.changed_files(repository)) == ["leaf", "needle"]


def test_repository_without_commits_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    with pytest.raises(ConfigError, match="has no commit yet"):
        revision.working_tree(tmp_path / "empty")


# --- worktrees -------------------------------------------------------------------------------


def test_worktree_has_the_files_of_its_commit_and_goes_afterwards(
    repository: Path, tmp_path: Path
) -> None:
    first = revision.resolve(repository, "v1").commit
    with revision.worktree(repository, first, tmp_path / "scratch") as folder:
        assert folder.parent == tmp_path / "scratch"
        assert (folder / "leaf").read_text() == "green"
        assert git(folder, "rev-parse", "HEAD") == first
        (folder / "made-by-a-trial").write_text("")
    assert list((tmp_path / "scratch").iterdir()) == []
    assert worktrees(repository) == [str(repository)]
    assert (repository / "leaf").read_text() == "brown"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_worktree_goes_whatever_happens(
    repository: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), revision.worktree(repository, "v1", tmp_path / "scratch"):
        raise error
    assert list((tmp_path / "scratch").iterdir()) == []
    assert worktrees(repository) == [str(repository)]


def test_worktree_that_cannot_be_checked_out_leaves_nothing(
    repository: Path, tmp_path: Path
) -> None:
    tree = git(repository, "rev-parse", "main^{tree}")
    made = revision.worktree(repository, tree, tmp_path / "scratch")
    with pytest.raises(ConfigError, match=r"git cannot work in .*repository \(worktree\)"), made:
        raise AssertionError("a tree is no commit")
    assert list((tmp_path / "scratch").iterdir()) == []


def left_whole(repository: Path, folder: Path) -> None:
    git(repository, "worktree", "add", "--detach", str(folder), "v1")


def left_without_its_folder(repository: Path, folder: Path) -> None:
    left_whole(repository, folder)
    folder.rename(folder.with_name("gone"))


def left_half_made(repository: Path, folder: Path) -> None:
    left_whole(repository, folder)
    git(repository, "worktree", "lock", str(folder))  # as git does while it makes one
    (folder / ".git").unlink()


@pytest.mark.parametrize("leave", [left_whole, left_without_its_folder, left_half_made])
def test_leftover_of_a_killed_check_is_removed_by_the_next(
    repository: Path, tmp_path: Path, leave: Callable[[Path, Path], None]
) -> None:
    leave(repository, tmp_path / LEFTOVER)
    with revision.worktree(repository, "v1", tmp_path / "scratch") as folder:
        assert worktrees(repository) == [str(repository), str(folder)]
    assert not (tmp_path / LEFTOVER).exists()


def test_worktrees_of_others_stay(repository: Path, tmp_path: Path) -> None:
    running, users = tmp_path / LEFTOVER, tmp_path / "users-own"
    unmounted = tmp_path / "unmounted"
    for folder in (running, users, unmounted):
        git(repository, "worktree", "add", "--detach", str(folder), "v1")
    unmounted.rename(tmp_path / "elsewhere")
    lock = hold(running)
    try:
        with revision.worktree(repository, "v1", tmp_path / "scratch"):
            pass
    finally:
        os.close(lock)
    assert set(worktrees(repository)) == set(map(str, (repository, running, users, unmounted)))
    assert (running / "leaf").exists()


def test_hooks_of_the_user_do_not_run(repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    git(repository, "checkout", "--quiet", "v1")
    assert (tmp_path / "hooked").exists()
    (tmp_path / "hooked").unlink()
    with revision.worktree(repository, "v1", tmp_path / "scratch"):
        assert not (tmp_path / "hooked").exists()


def test_submodules_and_large_files_are_said_to_be_missing(
    repository: Path, tmp_path: Path
) -> None:
    commit(
        repository,
        "Add parts",
        **{
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ../x\n',
            ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        },
    )
    with revision.worktree(repository, "v1", tmp_path) as folder:
        assert revision.unfilled(folder) == ()
    with revision.worktree(repository, "main", tmp_path) as folder:
        submodules, large_files = revision.unfilled(folder)
    assert ".gitmodules" in submodules
    assert "Git LFS" in large_files


def test_large_files_are_not_fetched(repository: Path, tmp_path: Path) -> None:
    commit(repository, "Add", **{".gitattributes": "*.bin filter=lfs\n", "a.bin": "pointer"})
    git(repository, "config", "filter.lfs.smudge", "echo skipped: $GIT_LFS_SKIP_SMUDGE")
    with revision.worktree(repository, "main", tmp_path) as folder:
        assert (folder / "a.bin").read_text() == "skipped: 1\n"
