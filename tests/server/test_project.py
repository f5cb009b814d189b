"""The app knows the images of its project and writes reviews that the stage split honours."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import user_error
from tests.server.fake import MODEL, picture
from tests.split.test_split import Run
from twincam.files.reviews import read_reviews
from twincam.server.app import create_app
from twincam.server.project import read_project

PARAMS = "data: {info: info}\n"
STAGES = "stages:\n  synthesize: {outs: [data/synthetic/info]}\n  split: {cmd: x}\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.fill("real", "fake")
    made()
    return made


@pytest.fixture
def root(run: Run) -> Path:
    folder = run.root.parent / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "dvc.yaml").write_text(STAGES)
    shutil.copytree(run.split.parent, folder / "data")
    return folder


def client_of(root: Path, reviews: bool = True) -> TestClient:
    return TestClient(create_app(MODEL, read_project(root, reviews)), "http://127.0.0.1")


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with client_of(root) as started:
        yield started


def review(path: str, mark: str, note: str = "", label: str = "") -> dict[str, str]:
    return {"path": path, "mark": mark, "note": note, "label": label}


def test_an_image_of_the_project_is_known_by_its_content(client: TestClient, run: Run) -> None:
    content = (run.root / "real/1.png").read_bytes()
    found = client.post("/explain", content=content).json()["project"]
    split = {
        known.path: known.split
        for known in read_project(run.root.parent / "project", False).images.values()
    }
    assert found == {
        "path": "real/1.png",
        "label": "real",
        "folder": "real",
        "split": split["real/1.png"],
        "review": {"mark": "", "note": "", "label": ""},
    }
    assert "project" not in client.post("/explain", content=picture()).json()


def test_marks_reach_the_next_split(client: TestClient, run: Run, root: Path) -> None:
    for one in (
        review("real/1.png", "mislabelled", " a\nrender ", "fake"),
        review("real/2.png", "unfit"),
        review("fake/1.png", "duplicate"),
        review("fake/1.png", ""),
    ):
        assert client.post("/reviews", json=one).status_code == 204
    content = (run.root / "real/1.png").read_bytes()
    known = client.post("/explain", content=content).json()["project"]
    assert known["review"] == {"mark": "mislabelled", "note": "a render", "label": "fake"}
    run.info = root / "info"
    table, details = run()
    assert [row["path"] for row in details["reviewed"]] == ["real/1.png", "real/2.png"]
    assert table.set_index("path").loc["real/1.png", "label"] == "fake"
    assert "fake/1.png" in set(table["path"])
    shutil.copytree(run.split.parent, root / "data", dirs_exist_ok=True)
    with client_of(root) as again:
        found = again.post("/explain", content=content).json()["project"]
        assert (found["label"], found["folder"]) == ("fake", "real")
        answer = again.post("/reviews", json=review("real/1.png", "mislabelled", "", "real"))
        assert answer.status_code == 400, "it lies in that class's folder"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (review("../../etc/passwd", "unfit"), "no image of this project"),
        (review("real/1.png", "bad"), "expected one of the marks mislabelled"),
        (review("real/1.png", "mislabelled", "", "dog"), "expected another class"),
        (review("real/1.png", "mislabelled", "", "real"), "expected another class"),
        (review("real/1.png", "unfit", "", "fake"), "expected another class"),
        (review("real/1.png", "unfit", "n" * 301), "at most 300 characters"),
        ({"path": "real/1.png", "mark": 3}, "expected an object with the text of path"),
        ([1], "expected an object"),
    ],
)
def test_wrong_reviews_are_refused(client: TestClient, root: Path, body: Any, said: str) -> None:
    answer = client.post("/reviews", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert not (root / "info").exists()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 9000])
def test_what_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/reviews", content=body).status_code == 400


def test_a_table_that_cannot_be_read_is_named_and_kept(client: TestClient, root: Path) -> None:
    (root / "info").mkdir()
    (root / "info/reviews.csv").write_text("name,mark\nx,unfit\n")
    answer = client.post("/reviews", json=review("real/1.png", "unfit"))
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("reviews.csv: expected a column 'path'")
    assert read_lines(root) == ["name,mark", "x,unfit"]
    content = (root.parent / "images/real/1.png").read_bytes()
    answer = client.post("/explain", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("reviews.csv: expected a column 'path'")


def test_a_folder_that_cannot_be_written_is_one_line(client: TestClient, root: Path) -> None:
    (root / "info").write_text("a file")
    answer = client.post("/reviews", json=review("real/1.png", "unfit"))
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("reviews.csv cannot be written (")


def read_lines(root: Path) -> list[str]:
    return (root / "info/reviews.csv").read_text().splitlines()


def test_without_the_flag_nothing_is_written(root: Path) -> None:
    with client_of(root, reviews=False) as client:
        answer = client.post("/reviews", json=review("real/1.png", "unfit"))
        assert answer.status_code == 404
        assert "without --reviews" in answer.json()["error"]
    assert not (root / "info").exists()


@pytest.mark.parametrize(
    ("folder", "said"),
    [("data/none", "stands for nothing"), ("data/synthetic/info", "by the stage synthesize")],
)
def test_a_folder_that_cannot_keep_reviews(root: Path, folder: str, said: str) -> None:
    (root / "params.yaml").write_text(f"data: {{info: {folder}}}\n")
    assert said in user_error(read_project, root=root, reviews=True)
    assert read_project(root, False).info is None


def test_a_project_before_its_first_run(root: Path) -> None:
    shutil.rmtree(root / "data")
    assert "run `dvc repro`" in user_error(read_project, root=root, reviews=True)
    assert read_project(root, False).images == {}


def test_taking_back_the_only_mark_leaves_a_table_that_is_read(
    client: TestClient, root: Path
) -> None:
    client.post("/reviews", json=review("real/1.png", "unfit"))
    client.post("/reviews", json=review("real/1.png", ""))
    assert read_lines(root) == ["path,mark,note,label"]
    assert read_reviews(root / "info").empty
