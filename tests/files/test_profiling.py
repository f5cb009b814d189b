"""A stage is profiled where someone asks, also one that fails; nothing is written otherwise."""

import sys
from pathlib import Path

import pytest

from tests.conftest import user_error
from twincam.files.errors import UserError, run_stage
from twincam.files.profiling import FOLDER, profile_table, profiled


def slow_part() -> None:
    total = 0
    for number in range(2_000_000):
        total += number


def test_each_stage_gets_a_row_and_the_slowest_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "new"))
    with profiled("quick"):
        pass
    with profiled("slow"):
        slow_part()
    rows = profile_table(tmp_path / "new").splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| slow", "| quick", "| all"]
    assert "| slow_part " in rows[0]
    assert float(rows[0].split(" | ")[2]) > 0
    assert float(rows[0].split(" | ")[3]) > 10


def test_a_stage_that_fails_is_profiled_and_still_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(_argv: list[str]) -> None:
        raise UserError("no images; add some")

    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit, match="split: no images"):
        run_stage(main, "split")
    assert "| split |" in profile_table(tmp_path)


def test_nothing_is_written_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    with profiled("split"):
        pass
    assert not list(tmp_path.iterdir())
    assert "make profile" in user_error(profile_table, folder=tmp_path)
