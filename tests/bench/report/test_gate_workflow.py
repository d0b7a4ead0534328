"""The workflow that others call: what it declares, and what its scripts do, run with stand-ins.

No YAML reader is installed with leafbench, so the files are read as text, by their indentation.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from bench.gate.commands import check

WORKFLOWS = Path(__file__).parents[3] / ".github" / "workflows"
GATE = (WORKFLOWS / "gate.yml").read_text(encoding="utf-8")
CI = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
STATUSES = {"pass": 0, "regression": 1, "usage": 2, "inconclusive": 3, "nothing": 4}
COMMENTS = "repos/owner/leaves/issues/7/comments"


def block(text: str, opening: str) -> str:
    """What is indented below the first line that reads `opening`."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip() == opening)
    depth = len(lines[start]) - len(lines[start].lstrip())
    inside = []
    for line in lines[start + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= depth:
            break
        inside.append(line)
    return dedent("\n".join(inside))


def script(step: str) -> str:
    """The shell script of a step, by its name."""
    return block(GATE[GATE.index(f"- name: {step}\n") :], "run: |")


def keys(mapping: str) -> set[str]:
    return set(re.findall(r"^([\w-]+):", mapping, re.MULTILINE))


@dataclass(frozen=True)
class Ended:
    """A step that ran: its status, output, what its stand-ins were called with, and its files."""

    status: int
    output: str
    calls: list[list[str]]
    folder: Path

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""


def run(step: str, folder: Path, stand_in: str, body: str, **environment: str) -> Ended:
    """Run a step's script as GitHub does, with one command replaced by `body`."""
    tools = folder / "tools"
    tools.mkdir()
    tool = tools / stand_in
    tool.write_text(f'#!/bin/bash\nprintf "%s\\0" "$@" END >> "$CALLS"\n{body}\n')
    tool.chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(step)],
        cwd=folder,
        env={
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "CALLS": str(folder / "calls"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    written = (folder / "calls").read_text() if (folder / "calls").exists() else ""
    calls = [call.split("\0")[:-1] for call in written.split("END\0")[:-1]]
    return Ended(done.returncode, done.stdout, calls, folder)


def checked(folder: Path, status: int, *, verdict: bool = True, **given: str) -> Ended:
    asked = {
        "AGAINST": "HEAD^",
        "ARGUMENTS": "",
        "BUDGET": "15m",
        "COMMAND": "",
        "DATA": "",
        "INCONCLUSIVE": "warn",
        "SUITE": "",
    }
    wrote = 'echo "{}" > "$RUNNER_TEMP/verdict.json"' if verdict else ":"
    return run("Check", folder, "leafbench", f"{wrote}; exit {status}", **(asked | given))


def commented(folder: Path, known: str = "", **given: str) -> Ended:
    asked = {
        "FORK": "false",
        "GITHUB_REPOSITORY": "owner/leaves",
        "GITHUB_RUN_ID": "12",
        "GITHUB_SERVER_URL": "https://github.example",
        "MARKER": "<!-- leafbench: gate -->",
        "PULL": "7",
        "STATUS": "1",
    }
    return run("Comment", folder, "gh", f"[ -z '{known}' ] || echo '{known}'", **(asked | given))


def test_inputs_are_declared_and_every_declared_one_is_used():
    declared = keys(block(GATE, "inputs:"))
    assert set(re.findall(r"inputs\.([\w-]+)", GATE)) == declared
    assert {"against", "budget", "suite", "data", "python-version", "arguments"} <= declared


def test_this_repository_calls_it_on_pull_requests_after_its_tests():
    job = block(CI, "gate:")
    assert "uses: ./.github/workflows/gate.yml" in job
    assert "if: github.event_name == 'pull_request'" in job
    assert "needs: test" in job
    assert keys(block(job, "with:")) <= keys(block(GATE, "inputs:"))


def test_a_call_grants_what_the_jobs_ask_for():
    granted = block(block(CI, "gate:"), "permissions:").splitlines()
    assert sorted(granted) == ["contents: read", "pull-requests: write"]


def test_only_the_comment_may_write():
    jobs = block(GATE, "jobs:")
    assert ": write" not in block(jobs, "check:")
    assert block(block(jobs, "comment:"), "permissions:").split("\n")[0] == "pull-requests: write"
    assert block(GATE.split("\non:\n")[1], "permissions:").strip() == "contents: read"


def test_actions_are_pinned_by_the_major_versions_that_ci_has():
    used = re.findall(r"uses: (\S+)", re.sub(r"(?m)^#.*$", "", GATE))
    assert len(used) == 4
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
    ours = dict(action.split("@") for action in re.findall(r"uses: (actions/\S+)", CI))
    assert all(ours.get(name, major) == major for name, major in (u.split("@") for u in used))


def test_no_script_is_made_of_what_somebody_else_wrote():
    for step in ("Install", "Check", "Comment"):
        assert "${{" not in script(step)


def test_it_has_the_whole_history_and_keeps_no_token():
    checkout = block(GATE, "- uses: actions/checkout@v4")
    assert "fetch-depth: 0" in checkout
    assert "persist-credentials: false" in checkout


def test_the_tests_of_this_repository_have_a_commit_to_try_the_gate_on():
    assert re.search(
        r"fetch-depth: [2-9]", block(block(CI, "test:"), "- uses: actions/checkout@v4")
    )


def test_the_verdict_is_uploaded_whatever_happened():
    assert "if: always()" in block(GATE, "- uses: actions/upload-artifact@v4")


def test_it_calls_leafbench_itself_with_flags_that_it_has():
    known = {flag for parameter in check.params for flag in parameter.opts}
    asked = set(re.findall(r"(?<=[( ])--[\w-]+", script("Check")))
    assert {"--against", "--budget", "--out", "--json"} <= asked
    assert asked <= known
    assert "make" not in script("Check")


@pytest.mark.parametrize("policy", ["warn", "fail"])
@pytest.mark.parametrize("verdict", STATUSES)
def test_the_job_ends_as_leafbench_does_but_for_inconclusive_that_only_warns(
    verdict, policy, tmp_path
):
    status = STATUSES[verdict]
    ended = checked(tmp_path, status, INCONCLUSIVE=policy)
    forgiven = (verdict, policy) == ("inconclusive", "warn")
    assert ended.status == (0 if forgiven else status)
    assert ("::warning" in ended.output) == forgiven
    assert ended.read("output") == f"status={status}\n"
    assert ended.read("summary") == ""


def test_no_verdict_is_told_in_the_summary(tmp_path):
    ended = checked(tmp_path, 2, verdict=False)
    assert ended.status == 2
    assert ended.read("summary").startswith("leafbench check ended with status 2 and no verdict")


@pytest.mark.parametrize("policy", ["", "ignore", "Fail"])
def test_a_policy_that_does_not_exist_measures_nothing(policy, tmp_path):
    ended = checked(tmp_path, 0, INCONCLUSIVE=policy)
    assert ended.status == 2
    assert "::error::inconclusive must be warn or fail" in ended.output
    assert ended.calls == []


def test_what_is_not_given_is_left_to_leafbench(tmp_path):
    out = ["--out", f"{tmp_path}/gate", "--json", f"{tmp_path}/verdict.json"]
    assert checked(tmp_path, 0).calls == [["check", "--against", "HEAD^", "--budget", "15m", *out]]


def test_what_is_given_arrives_in_one_piece(tmp_path):
    command = "python train.py --name 'a b'; $(exit 9)"
    call = checked(
        tmp_path,
        0,
        COMMAND=command,
        DATA="my photos",
        SUITE="quick",
        ARGUMENTS="--threshold epoch=8% --no-self-test",
    ).calls[0]
    assert call[9:] == [
        *("--suite", "quick", "--data", "my photos", "--command", command),
        *("--threshold", "epoch=8%", "--no-self-test"),
    ]


def test_the_first_verdict_makes_a_comment(tmp_path):
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "verdict.md").write_text("### pass: fine\n")
    ended = commented(tmp_path)
    assert ended.status == 0
    listed, posted = ended.calls
    assert listed[:3] == ["api", "--paginate", COMMENTS]
    assert posted == [
        *("api", "--silent", "--method", "POST", COMMENTS, "--field", "body=@body.md"),
    ]
    assert ended.read("body.md") == (
        "<!-- leafbench: gate -->\n### pass: fine\n\n"
        "[Log and records](https://github.example/owner/leaves/actions/runs/12)\n"
    )


def test_a_later_verdict_updates_the_oldest_comment_of_ours(tmp_path):
    posted = commented(tmp_path, known="31\n57").calls[1:]
    path = "repos/owner/leaves/issues/comments/31"
    assert posted == [
        ["api", "--silent", "--method", "PATCH", path, "--field", "body=@body.md"],
    ]


def test_only_the_bots_own_comment_with_this_marker_is_ours(tmp_path):
    asked = commented(tmp_path).calls[0][-1]
    assert 'select(.user.login == "github-actions[bot]")' in asked
    assert "select(.body | startswith(env.MARKER))" in asked


def test_a_check_without_a_verdict_does_not_leave_an_old_one_standing(tmp_path):
    body = commented(tmp_path, known="31", STATUS="").read("body.md")
    assert "### no verdict: leafbench check ended with status unknown" in body


def test_a_fork_is_told_that_it_cannot_be_commented_on(tmp_path):
    ended = commented(tmp_path, FORK="true")
    assert (ended.status, ended.calls) == (0, [])
    assert ended.output.startswith("::notice title=leafbench::a fork's token may not comment")
