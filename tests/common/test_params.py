"""Every wrong parameter ends in one line that names key, value and what is allowed."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Block, read_params


class Inner(Block):
    rate: Annotated[float, Field(gt=0, le=1)]
    kind: Literal["a", "b"]
    count: int


class Params(Block):
    seed: int
    name: str
    inner: Inner


GOOD = "seed: 0\nname: x\ninner: {rate: 1e-4, kind: a, count: 3}\nother: {anything: 1}\n"


def read(tmp_path: Path, text: str) -> Params:
    (tmp_path / "params.yaml").write_text(text)
    return read_params(tmp_path / "params.yaml", Params)


def test_reads_its_blocks_and_leaves_others(tmp_path: Path) -> None:
    params = read(tmp_path, GOOD)
    assert (params.seed, params.inner.rate, params.inner.kind) == (0, 1e-4, "a")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rate: 1e-4", "rate: 2"), ["inner.rate is 2", "less than or equal to 1"]),
        (("rate: 1e-4", "rate: fast"), ["inner.rate is 'fast'", "number"]),
        (("kind: a", "kind: c"), ["inner.kind is 'c'", "'a' or 'b'"]),
        (("count: 3", "count: 3.5"), ["inner.count is 3.5", "integer"]),
        (("count: 3", "count: true"), ["inner.count is True", "integer"]),
        (("count: 3", "count: 3, cuont: 4"), ["inner.cuont is not a known parameter"]),
        (("name: x", "name: 0"), ["name is 0", "in quotes", 'name: "0"']),
        (("name: x", "name: 007"), ["name is 7", "in quotes"]),
        (("name: x", "name: true"), ["name is True", "in quotes"]),
        (("name: x", "name: 2024-01-31"), ["name is datetime.date(2024, 1, 31)", "in quotes"]),
        (("name: x", "name: [a]"), ["name is ['a']", "valid string"]),
        ((", count: 3", ""), ["inner.count is missing"]),
        (("seed: 0\n", ""), ["seed is missing"]),
        ((GOOD, "- a\n"), ["expected a mapping"]),
        ((GOOD, "a: [\n"), ["not YAML"]),
    ],
)
def test_refuses_in_one_line(tmp_path: Path, change: tuple[str, str], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, GOOD.replace(*change))
    message = str(caught.value)
    assert "\n" not in message
    assert "params.yaml" in message
    assert all(word in message for word in words), message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not found"):
        read_params(tmp_path / "params.yaml", Params)
