"""Class names that look the same are reported, and only those."""

import pytest

from stages.split.names import lookalikes


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["Real", "fake", "real"], "'Real' and 'real'"),
        (["caf\u00e9", "cafe\u0301", "tea"], r"'cafe\u0301' and 'caf\xe9'"),
        (["real", "real ", "fake"], "'real' and 'real '"),
        (["STRASSE", "straße"], r"'STRASSE' and 'stra\xdfe'"),
        (["real\u200b", "real", "x"], r"'real' and 'real\u200b'"),
        (["Ａ", "a"], r"'a' and '\uff21'"),
    ],
)
def test_names_that_look_the_same_are_one_line(labels: list[str], shown: str) -> None:
    (line,) = lookalikes(labels)
    assert shown in line
    assert "\n" not in line


@pytest.mark.parametrize("label", ["fake ", " fake", "fake\n", "fake\u00a0"])
def test_white_space_at_an_end_is_reported(label: str) -> None:
    (line,) = lookalikes([label, "real"])
    assert ascii(label) in line


def test_ordinary_names_are_not_reported() -> None:
    assert lookalikes(["fake", "real", "fake 2", "é", "e", "猫", "007", "7"]) == []
