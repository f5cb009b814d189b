"""A run resumes only from a checkpoint of its own parameters, inputs and code."""

from pathlib import Path

import pytest

from tests.training.test_refits import MODEL, QUICK
from twincam.determinism import Run
from twincam.training import checkpoints
from twincam.training.checkpoints import CODE, run_key
from twincam.training.params import ClassifierParams

RUN = Run(engine="local", threads=1, runtime="torch")
PARAMS = ClassifierParams(seed=0, run=RUN, model=MODEL, train=QUICK)


def test_the_name_changes_with_whatever_the_weights_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, code = tmp_path / "images", tmp_path / "fitting.py"
    images.write_text("pictures")
    code.write_text("rate = 1")
    monkeypatch.setattr(checkpoints, "CODE", [code])
    key = run_key(PARAMS, [images])
    assert run_key(PARAMS, [images]) == key
    assert run_key(PARAMS.model_copy(update={"seed": 1}), [images]) != key
    images.write_text("other pictures")
    assert run_key(PARAMS, [images]) != key
    images.write_text("pictures")
    code.write_text("rate = 2")
    assert run_key(PARAMS, [images]) != key


def test_the_code_is_that_of_the_networks_and_their_training() -> None:
    names = {file.name for file in CODE}
    assert {"fitting.py", "augmentations.py", "network.py", "weights.py"} <= names
