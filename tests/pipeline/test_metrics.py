"""What two branches are compared by fits on one screen."""

import json
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import run_in

MOST, WIDEST = 40, 120


def numbers(tree: object) -> Iterator[float]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from numbers(value)
    elif isinstance(tree, float | int):
        yield tree


def test_all_metrics_together_are_few(finished: Path) -> None:
    found = json.loads(run_in(finished, "dvc", "metrics", "show", "--json").stdout)
    assert 0 < len(list(numbers(found))) <= MOST


def test_every_metric_is_a_name_and_a_number_in_a_file_of_its_stage(finished: Path) -> None:
    files = json.loads(run_in(finished, "dvc", "metrics", "show", "--json").stdout)[""]["data"]
    for name, file in files.items():
        assert not any(isinstance(value, dict) for value in file["data"].values()), name
        assert (finished / "reports" / "details" / Path(name).name).is_file()


def test_a_diff_of_metrics_is_no_wider_than_a_screen(finished: Path) -> None:
    lines = run_in(finished, "dvc", "metrics", "diff", "--all", "HEAD").stdout.splitlines()
    assert 1 < len(lines) <= MOST + 2
    assert max(map(len, lines)) <= WIDEST
    assert not any("…" in line or "..." in line for line in lines)
