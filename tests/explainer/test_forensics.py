"""Where the run looks for traces, `twincam explain` finds the same in every evaluated image."""

import hashlib
import shlex
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvc.repo import Repo

from stages.forensics import remakes
from tests.conftest import change_params
from twincam.explainer.explaining import Named, explain_each
from twincam.explainer.explanation import Explanation
from twincam.explainer.pack import read_pack, write_pack
from twincam.explainer.text import lines_of, row_of
from twincam.files.metrics import read_metrics
from twincam.forensics.detector import read_detector
from twincam.pages.runs import RunFiles, read_run, records_of
from twincam.sharing.branch import FILES

DETAILS = ("explain", "forensics", "prototypes")


class TracedRun:
    """A finished run, and in another folder the stages that looking for traces changes."""

    def __init__(self, finished: Path, folder: Path) -> None:
        self.finished, self.folder = finished, folder
        shutil.copy(finished / "params.yaml", folder)
        change_params(folder, {"forensics": {"target_fpr": 0.5}})

    def place(self, name: str) -> Path:
        """Return where the file of this name lies."""
        own = self.folder / name
        return own if own.exists() else self.finished / name

    def run(self, stage: str) -> None:
        """Run a stage by its command in ``dvc.yaml``."""
        with Repo(str(self.finished)) as repo:
            (found,) = [one for one in repo.index.stages if one.name == stage]
            words = shlex.split(str(found.cmd))[3:]
            outputs = {out.def_path for out in found.outs}
        for n, word in enumerate(words):
            if word in outputs:
                words[n] = str(self.folder / word)
            elif not word.startswith("--") and not word.isdigit():
                words[n] = str(self.place(word))
        import_module(f"stages.{stage}.__main__").main(words)

    def pack(self) -> Path:
        """Return the run's pack with the detector."""
        detector = read_detector(self.folder / "models/forensics.safetensors")
        pack = read_pack(self.finished / "models/explainer")._replace(detector=detector)
        classifier = (self.finished / "models/classifier.safetensors").read_bytes()
        write_pack(self.folder / "explainer", pack, hashlib.sha256(classifier).hexdigest())
        return self.folder / "explainer"

    def records(self) -> list[Any]:
        """Return the records of the page."""
        details = {
            name: read_metrics(self.place(f"reports/details/{name}.json")) for name in DETAILS
        }
        files = RunFiles(**{name: self.place(path) for name, path in FILES.items()})
        run = read_run(files, details)
        return list(records_of(run, np.arange(len(run.predictions))))


@pytest.fixture(scope="module")
def both(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any]]:
    """Return the records of every evaluated image: the page's and the pack's."""
    traced = TracedRun(finished, tmp_path_factory.mktemp("traced"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(remakes, "STEPS", 6)
        traced.run("forensics")
    traced.run("evaluate")
    records = traced.records()
    root = finished / "data/synthetic/images"
    files = [Named(one["name"], root / one["name"]) for one in records]
    explained = list(explain_each(files, traced.pack()))
    return [
        (page, one.record)
        for page, one in zip(records, explained, strict=True)
        if isinstance(one, Explanation)
    ]


def assert_same(found: Any, expected: Any) -> None:
    """Assert that two parts of records are equal, numbers to 1e-4."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4)
    else:
        assert found == expected


def test_score_threshold_and_verdict_are_the_runs(both: list[tuple[Any, Any]]) -> None:
    assert len(both) > 4
    for page, found in both:
        assert_same(found["forensics"], page["forensics"])
        assert_same(found["verdict"], page["verdict"])
    verdicts = [found["verdict"] for _, found in both]
    assert {one["traces"] for one in verdicts} == {"none", "found"}
    assert all(one["unsure"] for one in verdicts if one["traces"] == "found")
    assert any("finest detail" in one["statement"] for one in verdicts)


def test_traces_stand_in_text_and_table(both: list[tuple[Any, Any]]) -> None:
    for _, found in both:
        score = found["forensics"]["score"]
        assert row_of(found)["traces"] == found["verdict"]["traces"]
        assert f"in its finest detail: a score of {score:.3f}" in "\n".join(lines_of(found))


def test_without_traces_nothing_is_said_of_them(finished: Path) -> None:
    pack = finished / "models/explainer"
    assert read_pack(pack).detector is None
    image = next((finished / "data/synthetic/images/real").iterdir())
    (found,) = explain_each([Named("a", image)], pack)
    assert isinstance(found, Explanation)
    assert (found.record["forensics"], found.record["verdict"]["traces"]) == (None, None)
    assert row_of(found.record)["traces"] == ""
    assert "finest detail" not in "\n".join(lines_of(found.record))
