"""A branch is shown beside its base: settings, figures, plots, images; offline and as Markdown."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import change_params, commit, run_in, user_error
from twincam.files.metrics import read_metrics
from twincam.sharing.branch import FILES, compare, require_files


@pytest.fixture(scope="module")
def branch(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project on a branch that trains otherwise, its diff against main written."""
    folder = tmp_path_factory.mktemp("branch") / "project"
    shutil.copytree(finished, folder, symlinks=True)
    run_in(folder, "git", "checkout", "--quiet", "-b", "other")
    change_params(folder, {"train": {"epochs": 1, "learning_rate": 0.01}})
    run_in(folder, "dvc", "repro")
    commit(folder, "other")
    run_in(folder, "python", "-m", "twincam", "diff", "main")
    return folder


def changed_images(branch: Path, finished: Path) -> set[str]:
    before, after = (
        pd.read_csv(folder / "reports" / "predictions.csv", index_col="path")["predicted"]
        for folder in (finished, branch)
    )
    return set(before.index[before != after.loc[before.index]])


def headline_cell(folder: Path, stage: str, name: str) -> str:
    found = read_metrics(folder / "reports" / f"{stage}.json")
    value, low, high = (found.get(f"{name}{end}") for end in ("", "_low", "_high"))
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def test_markdown_names_what_was_set_and_which_images_changed(branch: Path, finished: Path) -> None:
    text = (branch / "diff" / "diff.md").read_text()
    assert "| train.epochs | 2 | 1 |" in text
    assert "| train.learning_rate | 0.002 | 0.01 |" in text
    assert "McNemar" in text
    expected = changed_images(branch, finished)
    assert expected, "the branch changes no prediction: the test shows nothing"
    listed = text[text.index("### Images") :]
    assert {name for name in expected if name in listed} == expected
    assert listed.count(".png |") == len(expected)
    changed = 0
    for stage, name in (
        ("crossval", "accuracy"),
        ("evaluate", "roc_auc"),
        ("stability", "flip_rate"),
    ):
        before, after = (headline_cell(folder, stage, name) for folder in (finished, branch))
        changed += before != after
        assert (f"| {stage}: {name} | {before} | {after} |" in text) == (before != after)
    assert changed, "the branch changes no headline: the test shows nothing"
    metrics = text[text.index("### Metrics") : text.index("### Images")]
    assert metrics.count("\n| ") <= 41


def test_page_holds_both_explanations_of_every_image_and_asks_for_nothing(
    branch: Path, finished: Path
) -> None:
    page = (branch / "diff" / "index.html").read_text()
    shown = max(4, len(changed_images(branch, finished)))
    assert page.count('<div class="comparison">') == shown
    found = re.search(r'<script type="application/json" id="records">(.*?)</script>', page)
    assert found
    records = json.loads(found[1])
    assert len(records) == shown
    pictures = set(re.findall(r'class="picture" data-key="([^"]*)"', page))
    for before, after in records:
        assert before["name"] == after["name"]
        assert {f"before {before['image']}", f"after {after['image']}"} <= pictures
        assert before["verdict"] != after["verdict"]
        assert before["heat"] and after["heat"]
        for one in (before, after):
            assert all(twin["map"] for twin in one["twins"])
            assert one["prototypes"]["rows"]
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""<(?:img|script|link)[^>]*(?:src|href)=["']([^"']*)["']""", markup)
    assert run_in(branch, "git", "status", "--short").stdout == ""


def test_dvcs_own_diffs_name_what_changed(branch: Path, tmp_path: Path) -> None:
    metrics = run_in(branch, "dvc", "metrics", "diff", "main").stdout
    assert "reports/evaluate.json" in metrics
    assert "reports/details" not in metrics
    changed = run_in(branch, "git", "diff", "--name-only", "main").stdout.split()
    assert "reports/details/train.json" in changed
    run_in(branch, "dvc", "plots", "diff", "main", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    assert "Loss and accuracy by epoch" in page
    assert "main" in page
    assert "workspace" in page


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_plots_are_drawn_without_a_network(branch: Path, tmp_path: Path) -> None:
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync"
    done = subprocess.run(
        [
            "chromium",
            *flags.split(),
            "--proxy-server=127.0.0.1:9",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=15000",
            "--dump-dom",
            (branch / "diff" / "index.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    places = re.findall(r'id="plot-\d+"([^>]*)>(<[a-z]+)', done.stdout)
    assert len(places) == 6
    assert all("vega-embed" in attributes for attributes, _ in places)
    assert {drawn for _, drawn in places} == {"<svg"}


@pytest.mark.parametrize(
    ("change", "base", "message"),
    [
        ({}, "nowhere", "expected a branch, tag or commit"),
        ({"train": {"epochs": 3}}, "main", "have not run since something changed: crossval, train"),
    ],
)
def test_what_cannot_be_compared_ends_in_one_line(
    project: Path, change: dict[str, dict[str, object]], base: str, message: str
) -> None:
    change_params(project, change)
    assert message in user_error(compare, root=project, base=base, target=project / "diff")
    assert not (project / "diff").exists()


def test_outputs_in_no_cache_and_on_no_remote_are_asked_for(project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    message = user_error(compare, root=project, base="main", target=project / "diff")
    assert "dvc remote add" in message


def test_results_of_an_older_version_are_refused(tmp_path: Path) -> None:
    for path in list(FILES.values())[:-1]:
        (tmp_path / path).mkdir(parents=True)
    message = user_error(require_files, folder=tmp_path, name="v1")
    assert message.startswith("v1: expected data/prototypes, which this version")
    (tmp_path / "data/prototypes").mkdir()
    require_files(tmp_path, "v1")
