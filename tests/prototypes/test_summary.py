"""The headlines of a network, and the guards of what a person removed."""

import numpy as np
import pytest

from stages.prototypes.params import Params
from stages.prototypes.summary import all_figures, guard_figures, headlines
from tests.protopnet.tiny import LABELS
from tests.prototypes.tiny import LAST_LAYER, fits, net, removing, run
from twincam.determinism import Run as Threads
from twincam.files.metrics import spelled


def params(*removed: int) -> Params:
    settings = removing(*removed) if removed else LAST_LAYER
    return Params(
        seed=0,
        run=Threads(engine="local", threads=1, runtime="torch"),
        real_class="b",
        prototypes=settings,
    )


def test_headlines_are_of_the_test_images_where_there_are_any() -> None:
    classifier = np.eye(2)[LABELS]
    some = run()
    found = all_figures(some, fits(), net(), classifier, params())
    one = spelled(headlines(found))
    assert one["accuracy"] == (fits().kept.logits.argmax(axis=1) == LABELS).mean()
    assert one["accuracy_low"] < one["accuracy"] <= one["accuracy_high"]
    assert one["classifier_gap"] == pytest.approx(1 - one["accuracy"])
    assert one["live_prototypes"] == 6
    assert len(one) == 7
    split = some.split.assign(split=["val"] * 12 + ["test"] * 4)
    both = all_figures(some._replace(split=split), fits(), net(), classifier, params())
    assert headlines(both)["accuracy"].n == both["test"]["n"] == 4


def test_what_a_person_removed_is_reported_and_the_evidence_names_the_real_class() -> None:
    classifier = np.eye(2)[LABELS]
    removed = fits(removing(0))
    found = all_figures(run(), removed, net(), classifier, params(0))
    assert found["removed"]["ids"] == [0]
    assert found["prototypes"]["live"] == {"a": 2, "b": 3}
    assert {"refitted", "removed", "kmeans", "logistic"} <= found["comparison"].keys()
    assert [found["evidence"][name]["real_class"] for name in ("a", "b")] == [False, True]
    without = all_figures(run(), fits(), net(), classifier, params())
    assert "removed" not in without | without["comparison"]


def test_a_sound_network_breaks_no_guard_and_an_empty_last_layer_does() -> None:
    assert guard_figures(run(), fits().kept, [], 0)["guards_broken"] == []
    empty = fits(LAST_LAYER.model_copy(update={"l1": 100.0})).kept
    broken = guard_figures(run(), empty, [], 0)["guards_broken"]
    assert any("live prototypes" in sentence for sentence in broken)
