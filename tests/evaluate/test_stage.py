"""The stage on tables made here: what it writes, what it skips, and that it is reproducible."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.evaluate.__main__ import main
from stages.evaluate.headlines import headlines
from twincam.files.errors import UserError
from twincam.files.metrics import Estimate, read_metrics, write_metrics
from twincam.files.predictions import split_names
from twincam.files.tables import read_table, write_table
from twincam.statistics.estimates import NOTHING

CLASSES = ("fake", "real")
ENDS = ("", "_low", "_high")
DELIVERIES = ["as is", "JPEG 40", "half size"]
INPUTS = {
    "params": "params.yaml",
    "split": "split.csv",
    "audit-scores": "audit_scores.csv",
    "out-of-fold": "out_of_fold.csv",
    "deliveries": "deliveries.csv",
    "leave-one-source-out": "leave_one_source_out.json",
    "traces": "traces.csv",
}
OUTPUTS = {
    "metrics": "evaluate.json",
    "details": "details.json",
    "predictions": "predictions.csv",
    "external-predictions": "external_predictions.csv",
    "misclassified": "misclassified.csv",
    "roc": "roc.csv",
    "risk-coverage": "risk_coverage.csv",
    "figures": "figures",
}
PICTURES = ("confusion", "left_out_sources", "reliability", "risk_coverage", "roc")


def delivered(images: pd.DataFrame, favoured: str) -> pd.DataFrame:
    """Return the rows of every delivery; the mean of the logit ``favoured`` is that of as is."""
    table = images.loc[images.index.repeat(len(DELIVERIES))].assign(
        delivery=DELIVERIES * len(images)
    )
    shift = table["delivery"].map(dict(zip(DELIVERIES, (0, 6, -6), strict=True)))
    return table.assign(**{favoured: table[favoured] + shift})


def make_inputs(
    folder: Path,
    counts: dict[str, int],
    others: dict[str, float],
    classes: tuple[str, str] = CLASSES,
) -> None:
    """Write the inputs: ``counts`` of each split, ``others`` how well each source is separated."""
    rng = np.random.default_rng(0)
    scores = [f"logit_{name}" for name in classes]

    def images(split: str, source: str, n: int, gap: float) -> pd.DataFrame:
        kind = np.arange(n) % 2
        logits = rng.normal(size=(n, 2))
        logits[np.arange(n), kind] += gap
        table = pd.DataFrame(3 * logits, columns=scores)
        labels = np.array(classes)[kind]
        ids = [f"{split}-{source}-{i:03d}" for i in range(n)]
        return table.assign(id=ids, path=ids, split=split, source=source, label=labels)

    own = pd.concat([images(name, "here", n, 2.0) for name, n in counts.items()], ignore_index=True)
    external = [images("external", name, 30, gap) for name, gap in others.items()]
    write_table(folder / "split.csv", own.drop(columns=scores))
    train = delivered(own[own["split"] == "train"].assign(repeat=1, fold=1), scores[1])
    columns = ["id", "repeat", "fold", "label", "delivery", *scores]
    write_table(folder / "out_of_fold.csv", train[columns])
    evaluated = pd.concat([own[own["split"] != "train"], *external], ignore_index=True)
    columns = ["id", "path", "split", "source", "label", "delivery", *scores]
    write_table(folder / "deliveries.csv", delivered(evaluated, scores[1])[columns])
    audit = pd.DataFrame(columns=["images", "descriptor", "id", "split", "predicted"])
    write_table(folder / "audit_scores.csv", audit)
    traced = evaluated.assign(score=0.0, traced=evaluated["id"] == "external-unknown-000")
    write_table(folder / "traces.csv", traced[[*columns[:5], "score", "traced"]])
    write_metrics(
        folder / "leave_one_source_out.json",
        {"skipped": "leave_one_source_out.max_sources is 0"},
    )
    (folder / "params.yaml").write_text(
        "seed: 0\nreal_class: real\nevaluate: {alpha: 0.1, max_abstention: 0.1}\n"
    )


Results = tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]


def run(folder: Path, out: str = "out") -> Results:
    words = [word for flag, name in INPUTS.items() for word in (f"--{flag}", str(folder / name))]
    for flag, name in OUTPUTS.items():
        words += [f"--{flag}", str(folder / out / name)]
    main(words)
    own, others = (
        read_table(folder / out / name) for name in ("predictions.csv", "external_predictions.csv")
    )
    return read_metrics(folder / out / "details.json"), own, others


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    make_inputs(folder, {"train": 120, "val": 60, "test": 40}, {"phone": 2.0, "unknown": -1.0})
    return folder


@pytest.fixture(scope="module")
def results(inputs: Path) -> Results:
    return run(inputs)


def test_tables_and_figures_agree(results: Results) -> None:
    metrics, own, others = results
    assert list(own)[:9] == [
        *("id", "path", "split", "source", "label", "predicted", "confidence"),
        *("p_fake", "p_real"),
    ]
    assert list(own)[9:] == [
        *("as_is", "calibrated", "set", "flips", "weak", "traces", "unsure", "verdict"),
        *("statement", "remark"),
    ]
    assert list(others) == list(own)
    assert set(metrics) == {"val", "test", "external", "confidence", "scope"}
    for name in ("val", "test"):
        rows, found = own[own["split"] == name], metrics[name]
        assert found["n"] == found["unsure"]["n"] == found["calibration"]["n"] == len(rows)
        assert found["unsure"]["abstention_rate"] == pytest.approx(
            (rows["verdict"] == "unsure").mean(), 1e-4
        )
        held = [
            label in sets.split("|") for label, sets in zip(rows["label"], rows["set"], strict=True)
        ]
        assert found["unsure"]["coverage"] == pytest.approx(np.mean(held), abs=1e-6)
        assert found["unsure"]["by_margin"] == pytest.approx(rows["weak"].mean(), abs=1e-6)
        assert rows["weak"].any()
        assert (rows.loc[rows["weak"], "verdict"] == "unsure").all()
        flipped = rows["flips"] != ""
        assert (rows.loc[flipped, "verdict"] != "unsure").any()
        assert found["accuracy_as_is"] == found["accuracy"]
        assert (rows["calibrated"] < rows["confidence"] + 1e-9).all()
        assert found["calibration"]["temperature"] > 1
        assert found["risk_coverage"]["aurc"] < found["risk_coverage"]["aurc_random"]
    assert metrics["val"]["unsure"]["nominal"] == 0.9


def test_the_headlines_are_those_of_test_where_there_is_one(inputs: Path, results: Results) -> None:
    metrics = read_metrics(inputs / "out" / "evaluate.json")
    test = results[0]["test"]
    intervals = [f"{name}{end}" for name in ("accuracy", "roc_auc") for end in ENDS]
    assert metrics == {
        "split": "test",
        **{name: test[name] for name in intervals},
        **{name: test["unsure"][name] for name in ("abstention_rate", "accuracy_when_sure")},
        "nll": test["calibration"]["after"]["nll"],
    }


def test_headlines_without_calibration_and_verdicts_are_those_that_were_measured() -> None:
    accuracy = Estimate(0.9, 0.6, 1.0, 9)
    bare = {"accuracy": accuracy, "roc_auc": NOTHING, "unsure": {"n": 9, "skipped": "none"}}
    val = {**bare, "calibration": {"n": 9, "skipped": "9 images, 20 are needed"}}
    assert headlines({"val": val}) == {"split": "val", "accuracy": accuracy}
    unsure = {"abstention_rate": Estimate(1.0, 0.7, 1.0, 9), "accuracy_when_sure": NOTHING}
    assert headlines({"val": {**val, "unsure": unsure}}) == {
        "split": "val",
        "accuracy": accuracy,
        "abstention_rate": 1.0,
    }
    before = {"before": {"nll": Estimate(0.3, 0.2, 0.4, 30)}}
    assert headlines({"val": {**val, "calibration": before}})["nll"] == 0.3


def test_other_sources_get_rows_of_their_own(results: Results) -> None:
    metrics, own, others = results
    assert set(metrics["external"]) == {"phone", "unknown"}
    for name, found in metrics["external"].items():
        rows = others[others["source"] == name]
        assert found["n"] == len(rows) == 30
        right = (rows["predicted"] == rows["label"]).mean()
        assert found["accuracy"] == pytest.approx(right, abs=1e-6)
        assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
        assert found["per_class"]["fake"]["n"] == 15
    accuracy = {name: found["accuracy"] for name, found in metrics["external"].items()}
    assert accuracy["phone"] > 0.8
    assert accuracy["unknown"] < 0.4
    assert not set(own["id"]) & set(others["id"])


def test_no_image_is_ever_called_real(results: Results) -> None:
    metrics, own, others = results
    words = pd.concat([own, others]).groupby("verdict")["statement"]
    assert words.get_group("real").unique() == ["no trace of the generators seen in training"]
    assert words.get_group("fake").unique() == ["looks like the fake images seen in training"]
    assert words.get_group("unsure").str.startswith("unsure (").all()
    traced = others[others["id"] == "external-unknown-000"].iloc[0]
    assert (traced["predicted"], traced["verdict"]) == ("real", "unsure")
    assert "finest detail" in traced["statement"]
    assert (own["traces"] == "none").all()
    known = metrics["external"]["unknown"]["per_class"]["fake"]
    share = f"Of {known['n']} fake images of unknown"
    assert share in metrics["scope"]
    assert f"{100 * known['recall']:.1f} %" in metrics["scope"]


@pytest.mark.parametrize(
    "classes",
    [
        ("a|b", "unsure"),
        ("007", "1e5"),
        ("NA", "nan"),
        ("None", "null"),
        ("False", "True"),
        ("=1+1", "all"),
        ("accuracy", "val"),
        ('"a"', 'a,b\n"c"|'),
        ("p_x", "x.recall: 1"),
        ("\r", "<b>"),
    ],
)
def test_a_class_of_any_name_is_evaluated_like_an_ordinary_one(
    classes: tuple[str, str], inputs: Path, results: Results, tmp_path: Path
) -> None:
    counts = {"train": 120, "val": 60, "test": 40}
    make_inputs(tmp_path, counts, {"phone": 2.0, "unknown": -1.0}, classes)
    params = (inputs / "params.yaml").read_text().replace(": real", f": {json.dumps(classes[1])}")
    (tmp_path / "params.yaml").write_text(params)
    named = dict(zip(CLASSES, classes, strict=True))
    for found, expected in zip(run(tmp_path)[1:], results[1:], strict=True):
        for column in ("label", "predicted"):
            assert found[column].tolist() == expected[column].map(named).tolist()
        assert found["unsure"].tolist() == expected["unsure"].tolist()
        sure = ~expected["unsure"]
        assert found["verdict"][sure].tolist() == expected["verdict"][sure].map(named).tolist()
        for cell, plain in zip(found["set"], expected["set"], strict=True):
            assert split_names(cell) == [named[name] for name in split_names(plain)]
    metrics = read_metrics(tmp_path / "out" / "details.json")
    plain = dict(results[0])
    for part in (metrics, plain):
        part.pop("scope")
    assert metrics == renamed(plain, named)
    curves = read_table(tmp_path / "out" / "roc.csv")
    assert set(curves["class"]) == set(classes)


def test_without_an_authentic_class_labels_are_plain_and_only_null_does_not_warn(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_inputs(tmp_path, {"train": 24, "val": 10}, {}, ("1_fake", "Real"))
    for real_class, lines in (("real", 1), ("null", 0), ("Real", 0)):
        params = (inputs / "params.yaml").read_text().replace(": real", f": {real_class}")
        (tmp_path / "params.yaml").write_text(params)
        _, own, _ = run(tmp_path)
        lines_out = capsys.readouterr().err.splitlines()
        assert sum("real_class is 'real'" in line for line in lines_out) == lines
        plain = own["statement"].str.contains("looks like the Real images").any()
        assert plain == (real_class != "Real")


def renamed(tree: Any, named: dict[str, str]) -> Any:
    if isinstance(tree, dict):
        return {named.get(key, key): renamed(value, named) for key, value in tree.items()}
    return tree


def test_two_runs_write_the_same_bytes(inputs: Path, results: Results) -> None:
    run(inputs, "again")
    pictures = [f"figures/{name}.png" for name in PICTURES]
    for name in [*(name for name in OUTPUTS.values() if name != "figures"), *pictures]:
        assert (inputs / "out" / name).read_bytes() == (inputs / "again" / name).read_bytes(), name


def test_small_splits_are_skipped_by_name_and_nothing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_inputs(tmp_path, {"train": 24, "val": 10}, {})
    params = "seed: 0\nreal_class: real\nevaluate: {alpha: 0.05, max_abstention: 0.1}\n"
    (tmp_path / "params.yaml").write_text(params)
    metrics, own, others = run(tmp_path)
    assert "external" not in metrics
    assert others.empty
    assert "20 are needed" in metrics["val"]["calibration"]["skipped"]
    assert "19 are needed" in metrics["val"]["unsure"]["skipped"]
    assert metrics["val"]["unsure"]["by_margin"] == pytest.approx(own["weak"].mean(), abs=1e-6)
    assert (own["set"] == "").all()
    warnings = capsys.readouterr().err.splitlines()
    assert any(line.startswith("evaluate: prediction sets skipped: ") for line in warnings)
    assert any(line.startswith("evaluate: calibration of val skipped: ") for line in warnings)


def test_without_cross_validation_the_rest_remains(tmp_path: Path) -> None:
    make_inputs(tmp_path, {"train": 24, "val": 40}, {})
    table = tmp_path / "out_of_fold.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    metrics, own, _ = run(tmp_path)
    calibration = metrics["val"]["calibration"]
    assert "0 training images have out-of-fold scores" in calibration["skipped"]
    assert calibration["before"]["ece"] > 0
    assert set(metrics["val"]["unsure"]) == {"n", "skipped"}
    assert own["verdict"].tolist() == own["predicted"].tolist()


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{alpha: 0.05, max_abstention: 0.1, alfa: 1}", "evaluate.alfa is not a known parameter"),
        ("{alpha: 1.5, max_abstention: 0.1}", "evaluate.alpha is 1.5"),
        ("{max_abstention: 0.1}", "evaluate.alpha is missing"),
        ("{alpha: 0.05}", "evaluate.max_abstention is missing"),
    ],
)
def test_wrong_parameters_are_named(tmp_path: Path, block: str, expected: str) -> None:
    (tmp_path / "params.yaml").write_text(f"seed: 0\nreal_class: real\nevaluate: {block}\n")
    with pytest.raises(UserError, match=expected):
        run(tmp_path)
