"""Warnings name a missing class with what to do, and a skipped stage with the reason."""

import pytest

from twincam.files.messages import skipped, warn_unless_class


@pytest.mark.parametrize("classes", [["REAL", "fake"], ["0_real", "1_fake"], ["nature", "ai"]])
def test_a_missing_class_of_genuine_images_is_reported_in_one_line(
    classes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    warn_unless_class("evaluate", "real", classes)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("evaluate: real_class is 'real'")
    assert all(repr(name) in said for name in classes)
    assert "null" in said


@pytest.mark.parametrize("real_class", ["real", None])
def test_an_existing_class_or_null_is_not_reported(
    real_class: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_unless_class("evaluate", real_class, ["fake", "real"])
    assert capsys.readouterr().err == ""


def test_only_the_first_of_many_classes_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    warn_unless_class("evaluate", "real", [f"class {number}" for number in range(100)])
    assert "and 80 more" in capsys.readouterr().err


def test_what_is_skipped_is_said_and_stands_in_the_details(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert skipped("audit", "3 images in val") == {"skipped": "3 images in val"}
    assert capsys.readouterr().err == "audit: skipped: 3 images in val\n"
