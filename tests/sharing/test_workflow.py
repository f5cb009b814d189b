"""The workflow for pull requests does what it says: its commands are run, one after another."""

import os
import re
from pathlib import Path

from ruamel.yaml import YAML

from tests.conftest import ROOT, change_params, commit, ran, run_in

WORKFLOW = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "diff.yml")
JOB = WORKFLOW["jobs"]["diff"]
GH = """#!/bin/sh
echo "$@" > "$0.said"
cp "$5" "$0.body"
"""


def test_commands_bring_compare_and_comment(pushed: Path, tmp_path: Path) -> None:
    remote = str(tmp_path / "store")
    run_in(pushed, "git", "checkout", "--quiet", "-b", "other")
    change_params(pushed, {"panels": {"correct": 3}})
    run_in(pushed, "dvc", "repro", "panels")
    commit(pushed, "a pull request whose author forgot to push and to run all")
    runner = tmp_path / "runner"
    run_in(tmp_path, "git", "clone", "--quiet", "--branch", "other", str(pushed), str(runner))
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    context = {"github.base_ref": "main", "vars.DVC_REMOTE": remote, "github.event.number": "7"}
    settings = {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: context.get(found[1], ""), value)
        for name, value in JOB["env"].items()
    }
    settings["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    commands = {step["name"]: step["run"] for step in JOB["steps"] if "run" in step}
    assert "sharing" not in commands.pop("Install")
    said = {}
    for name, command in commands.items():
        exports = [f"{key}={value}" for key, value in settings.items()]
        path = f"PATH={gh.parent}{os.pathsep}"
        script = f'{path}$PATH; cd "{runner}"; {command}'
        said[name] = run_in(runner, "env", *exports, "bash", "-e", "-c", script).stdout

    assert ran(said["Bring what is there, run what is not"]) == ["panels", "report"]
    assert (tmp_path / "bin" / "gh.said").read_text().startswith("pr comment 7 --body-file")
    body = (tmp_path / "bin" / "gh.body").read_text()
    assert "## What changed since origin/main" in body
    assert "| panels.correct | 2 | 3 |" in body
    assert body in (tmp_path / "summary.md").read_text()
    upload = next(step["with"] for step in JOB["steps"] if "upload" in step.get("uses", ""))
    assert (runner / upload["path"] / "index.html").is_file()


def test_rights_are_the_least() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "pull_request_target" not in WORKFLOW
