"""The project is found from any folder in it, and from no other."""

from pathlib import Path

import pytest

from tests.conftest import user_error
from twincam.files.project import project_root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "dvc.yaml").touch()
    (folder / "docs" / "figures").mkdir(parents=True)
    return folder


def test_it_is_found_from_its_top_and_from_below(project: Path) -> None:
    for start in (project, project / "docs", project / "docs" / "figures"):
        assert project_root(start) == project


def test_a_pipeline_inside_the_project_is_not_the_project(project: Path) -> None:
    (project / "docs" / "dvc.yaml").touch()
    assert project_root(project / "docs") == project


def test_a_worktree_and_a_project_below_the_top_of_a_repository(project: Path) -> None:
    (project / ".git").rmdir()
    (project / ".git").write_text("gitdir: elsewhere")
    assert project_root(project / "docs") == project
    (project / ".git").rename(project.parent / ".git")
    assert project_root(project / "docs") == project


def test_another_repository_in_the_project_and_a_folder_outside_are_none(project: Path) -> None:
    (project / "docs" / ".git").mkdir()
    for start in (project / "docs" / "figures", project.parent):
        assert "expected the project's folder" in user_error(project_root, start=start)
