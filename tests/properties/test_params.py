"""Whatever is written into params.yaml is read as parameters, or refused in one line."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.split.params import Params
from tests.conftest import ROOT
from twincam.files.errors import UserError
from twincam.files.params_file import read_params

DOCUMENT = YAML(typ="safe").load(ROOT / "params.yaml")
KEYS = [(block, key) for block, of in DOCUMENT.items() if isinstance(of, dict) for key in of]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8),
    st.sampled_from(["auto", "none", "data/none", "(", "a\0b", "..", "$(id)", "\u202e"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(), SCALARS))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("params") / "params.yaml"


def is_read_or_refused(file: Path) -> None:
    try:
        read_params(file, Params)
    except UserError as error:
        assert str(error).startswith(f"{file}")
        assert "\n" not in str(error)
        assert len(str(error)) < 2000


@given(st.sampled_from(KEYS), VALUES)
def test_any_value(file: Path, key: tuple[str, str], value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    document[key[0]][key[1]] = value
    YAML(typ="safe").dump(document, file)
    is_read_or_refused(file)


@given(st.data())
def test_any_change_of_the_text(file: Path, data: st.DataObject) -> None:
    text = (ROOT / "params.yaml").read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    put = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b": ", b"- ", b"{"])))
    file.write_bytes(text[:start] + put + text[end:])
    is_read_or_refused(file)
