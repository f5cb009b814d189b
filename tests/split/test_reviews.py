import json
from pathlib import Path

import pandas as pd
import pytest

from stages.split.reviews import apply_reviews
from tests.conftest import user_error
from tests.split.test_split import Run
from twincam.files.reviews import COLUMNS, add_reviews, read_reviews


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.fill("real", "fake")
    return made


def reviews(run: Run, text: str) -> None:
    (run.info / "reviews.csv").write_text(text, encoding="utf-8")


def test_marks_change_a_label_and_leave_images_out(run: Run, capsys: pytest.CaptureFixture) -> None:
    before, _ = run()
    reviews(
        run,
        "path,mark,note,label\nreal/1.png,mislabelled,a render,fake\nfake/2.png,duplicate,,\n"
        'real/3.png,unfit,"no cat, a dog",\nfake/4.png,mislabelled,,\n',
    )
    table, details = run()
    gone = ["fake/2.png", "fake/4.png", "real/3.png"]
    assert sorted(set(before["path"]) - set(table["path"])) == gone
    kept = before[~before["path"].isin(gone)].reset_index(drop=True)
    kept.loc[kept["path"] == "real/1.png", "label"] = "fake"
    assert table.equals(kept)
    assert details["images"] == {"total": 16, "used": 13, "bad": 0, "dropped": 0, "left_out": 3}
    assert json.loads(run.metrics.read_text()) == {"images": 13}
    assert [tuple(review.values()) for review in details["reviewed"]] == [
        ("left out", "", "duplicate", "", "fake/2.png"),
        ("left out", "", "mislabelled", "", "fake/4.png"),
        ("label real changed to fake", "fake", "mislabelled", "a render", "real/1.png"),
        ("left out", "", "unfit", "no cat, a dog", "real/3.png"),
    ]
    assert "mislabelled real/1.png: label real changed to fake" in capsys.readouterr().err
    (run.info / "reviews.csv").unlink()
    assert run()[0].equals(before)


def test_a_review_settles_contradicting_labels(run: Run) -> None:
    (run.root / "fake/x.png").write_bytes((run.root / "real/1.png").read_bytes())
    assert "label_conflicts" in run()[1]
    reviews(run, "path,mark,label\nfake/x.png,mislabelled,real\n")
    assert "label_conflicts" not in run()[1]


def test_reviews_as_people_write_them(run: Run) -> None:
    reviews(run, "# by hand\nMark, Path\nunfit, ./real\\1.png\n")
    assert "real/1.png" not in set(run()[0]["path"])


def test_a_damaged_file_may_be_marked(run: Run) -> None:
    (run.root / "real/cut.png").write_bytes((run.root / "real/1.png").read_bytes()[:200])
    reviews(run, "path,mark\nreal/cut.png,unfit\n")
    assert run()[1]["images"]["bad"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,mark\nreal/1.png,unfit\n", "expected a column 'path'"),
        ("path,note\nreal/1.png,odd\n", "expected a column 'mark' (mislabelled, duplicate, unfit)"),
        ("path,mark\nreal/1.png,Unfit\n", "unknown mark 'Unfit'; write one of mislabelled, dup"),
        ("path,mark\nreal/1.png,\n", "unknown mark ''"),
        ("path,mark\nreal/99.png,unfit\n", "no file below data.root is called 'real/99.png'"),
        ("path,mark\nreal/1.png,unfit\nreal/1.png,unfit\n", "reviews.csv: expected one row per"),
        ("path,mark,label\nreal/1.png,mislabelled,cat\n", "label 'cat'; write one of 'fake', 'r"),
        ("path,mark,label\nreal/1.png,mislabelled,real\n", "as 'real', which is its class"),
        ("path,mark,label\nreal/1.png,unfit,fake\n", "is marked unfit but has the label 'fake'"),
        ('path,mark\n"real/1.png,unfit\n', "not a CSV"),
    ],
)
def test_wrong_reviews_end_with_one_line(run: Run, text: str, said: str) -> None:
    reviews(run, text)
    message = user_error(run)
    assert "reviews.csv" in message
    assert said in message
    assert not run.split.exists()


def test_a_class_that_loses_every_image(run: Run) -> None:
    rows = "".join(f"real/{n}.png,unfit\n" for n in range(8))
    reviews(run, f"path,mark\n{rows}")
    assert "class 'real' has no image in train" in user_error(run)


def test_a_table_that_is_not_read_is_reported(run: Run, capsys: pytest.CaptureFixture) -> None:
    (run.root / "reviews.csv").write_text("path,mark\n")
    run()
    assert f"reviews.csv is not read; the review is {run.info}/re" in capsys.readouterr().err


def test_added_reviews_are_read_back(tmp_path: Path) -> None:
    def rows(*of: tuple[str, str, str, str]) -> pd.DataFrame:
        return pd.DataFrame(list(of), columns=list(COLUMNS))

    folder = tmp_path / "info"
    add_reviews(
        folder, rows(("b.png", "unfit", 'a "note", two\nlines', ""), ("a", "unfit", "", ""))
    )
    add_reviews(folder, rows(("a", "mislabelled", "", "fake"), ("c", "duplicate", "", "")))
    add_reviews(folder, rows(("c", "", "", "")))
    assert read_reviews(folder).values.tolist() == [
        ["a", "mislabelled", "", "fake"],
        ["b.png", "unfit", 'a "note", two\nlines', ""],
    ]


def test_no_review_changes_nothing() -> None:
    images = pd.DataFrame({"path": ["a/1", "b/1"], "label": ["a", "b"]})
    none = pd.DataFrame(columns=list(COLUMNS), dtype=str)
    same, done = apply_reviews(images, none, {"a/1": "a", "b/1": "b"})
    assert same.drop(columns="left_out").equals(images)
    assert same["left_out"].dtype == bool
    assert not same["left_out"].any()
    assert done == []
