"""The verdict on one picture follows the rules that `evaluate` applies to tables of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twincam.confidence.verdicts import ConfidenceModel, Traces, verdicts_of
from twincam.confidence.words import remark_of, statements
from twincam.deliveries import DELIVERIES
from twincam.explainer.pack import read_pack
from twincam.explainer.reasons import verdict_of
from twincam.files.predictions import join_names
from twincam.models.embedded import Embedded
from twincam.pages.explanation import forensics_of

LIMITS = {"fake": 0.9, "real": 0.3}
MODELS = [
    ConfidenceModel(0.7, "", LIMITS, "", 0.05, 0.5, "", 0.1),
    ConfidenceModel(None, "few images", LIMITS, "", 0.05, None, "few images", 0.1),
    ConfidenceModel(2.0, "", None, "few images", 0.05, 1.5, "", 0.1),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("measured", [False, True])
def test_verdicts_are_those_of_evaluate(
    finished: Path, model: ConfidenceModel, measured: bool
) -> None:
    pack = read_pack(finished / "models/explainer")
    pack = pack._replace(settings=pack.settings._replace(confidence=model))
    classes, count = pack.settings.classes, 40
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1.5, (count, 1, len(classes)))
    logits = centres + rng.normal(0, 0.8, (count, len(DELIVERIES), len(classes)))
    features = rng.random((len(DELIVERIES), pack.head.weight.shape[1])).astype(np.float32)

    table = pd.DataFrame({"id": [str(n) for n in range(count)], "path": "", "split": "val"})
    table = table.assign(source="", label=classes[0])
    sent = table.loc[np.arange(count).repeat(len(DELIVERIES))].assign(
        delivery=DELIVERIES * count,
        **{f"logit_{name}": logits[..., k].ravel() for k, name in enumerate(classes)},
    )
    traced = frozenset(map(str, range(0, count, 3))) if measured else None
    traces = Traces(traced, pack.settings.real_class)
    expected = verdicts_of(sent, model, traces, classes).table
    words = statements(expected, pack.settings.real_class)
    assert 0 < expected["unsure"].sum() < count
    assert (expected["as_is"] != expected["predicted"]).any()

    for n, row in enumerate(expected.to_dict("records")):
        forensics = forensics_of(0.25, 0.5, n % 3 == 0) if measured else None
        seen = Embedded((), features, logits[n], pack.training.embedded.finer)
        found = verdict_of(pack, seen, forensics)
        assert (found["traces"] or "") == row["traces"]
        assert (found["predicted"], found["unsure"]) == (row["predicted"], row["unsure"])
        assert found["statement"] == words[n]
        assert (found["as_is"], found["remark"]) == (
            row["as_is"],
            remark_of(row["predicted"], row["as_is"]),
        )
        assert (join_names(found["set"] or []), join_names(found["flips"])) == (
            row["set"],
            row["flips"],
        )
        confidence = np.nan if found["confidence"] is None else found["confidence"]
        np.testing.assert_allclose(confidence, row["calibrated"], atol=1e-4)
