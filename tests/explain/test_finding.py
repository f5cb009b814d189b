"""Spaces are chosen out of fold, pairs are known for pairs, and marks are counted."""

import numpy as np
import pandas as pd
import pytest

from stages.explain.finding import (
    Scene,
    all_similarities,
    counterfactual_figures,
    find_swaps,
    known_images,
    mark_figures,
    shared_maps,
    true_partners,
)
from stages.explain.neighbours import choose_space, find_semifactuals, out_of_fold_figures
from tests.fitted import IMAGES, network
from twincam.models.embedded import Embedded
from twincam.models.forward import embed

QUERY, TRAIN = np.arange(8, 12), np.arange(8)


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = network()
    made.module.eval()
    seen = embed(made, IMAGES, np.arange(12), maps=False)
    classes = np.array(made.classes)
    table = pd.DataFrame(
        {
            "label": classes[[0, 1] * 6],
            "predicted": classes[seen.logits.argmax(axis=1)],
            "group": [f"g{k // 2}" for k in range(12)],
        }
    )
    return Scene(made, table, IMAGES, QUERY, TRAIN, seen, np.zeros((12, 0), np.float32))


def test_a_true_partner_is_the_one_other_of_its_group_with_another_label() -> None:
    table = pd.DataFrame({"group": list("aabbccc"), "label": list("xyxxxyy")})
    assert true_partners(table).tolist() == [1, 0, -1, -1, -1, -1, -1]


def test_swaps_turn_the_pooled_prediction(scene: Scene) -> None:
    predicted = scene.seen.logits.argmax(axis=1)
    partners = np.array(
        [
            np.flatnonzero(predicted[TRAIN] != predicted[q])[0]
            if (predicted[TRAIN] != predicted[q]).any()
            else -1
            for q in QUERY
        ]
    )
    there, swap = find_swaps(scene, partners)
    assert there.tolist() == (partners >= 0).tolist()
    assert (swap.reached != predicted[QUERY][there]).all()
    none, empty = find_swaps(scene, np.full(4, -1))
    assert not none.any()
    assert len(empty.cells) == 0
    truth = np.zeros((4, *IMAGES.shape[1:3]), np.uint8)
    assert counterfactual_figures(scene, np.zeros(0, int), empty, none, truth, 0)["n"] == 0


def test_similarities_and_shared_maps_do_not_depend_on_batches(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_images(scene)
    twins = np.array([3, -1, 0, 5])
    whole = all_similarities(scene, known), shared_maps(scene, known, twins, "maps")
    monkeypatch.setattr("stages.explain.finding.BATCH", 3)
    parts = all_similarities(scene, known), shared_maps(scene, known, twins, "maps")
    assert "maps" in whole[0]
    for space, values in whole[0].items():
        assert parts[0][space] == pytest.approx(values, rel=1e-4, abs=1e-5)
    assert parts[1] == pytest.approx(whole[1], rel=1e-4, abs=1e-5)
    shown = whole[0]["maps"][np.arange(4), twins]
    assert whole[1].sum(axis=(1, 2))[twins >= 0] == pytest.approx(shown[twins >= 0], rel=1e-4)
    assert not whole[1][1].any()


def test_too_many_images_are_not_compared_by_cells(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twincam.explanations.twins.PAIRS", 10)
    known = known_images(scene)
    assert len(known.maps) == 0
    assert "maps" not in all_similarities(scene, known)


def test_the_space_is_the_most_faithful_out_of_fold() -> None:
    rows = pd.DataFrame(
        {
            "space": ["features_cosine"] * 3 + ["maps"] * 3,
            "wrong": [0, 0, 1] * 2,
            "agrees": 1,
            "disagreement": [0, 0.2, 0.8] * 2,
            "margin": 1.0,
            "neighbours_margin": [0.5, 1.5, 1.5, 1.1, 0.9, 1.0],
            "chance_margin": 0.0,
        }
    )
    found = out_of_fold_figures(rows, 0)
    assert choose_space("auto", found, ["features_cosine", "maps"]) == "maps"
    assert choose_space("auto", found, ["features_cosine"]) == "features_cosine"
    assert choose_space("auto", {}, ["maps"]) == "features_cosine"
    assert choose_space("maps", found, ["features_cosine"]) == "features_cosine"
    assert choose_space("contributions", found, ["contributions"]) == "contributions"
    assert found["maps"]["disagreement_auroc"] == 1


def test_a_semifactual_is_predicted_alike_and_lies_towards_the_counterfactual() -> None:
    at = np.array([[1.0, 0.0], [0.9, 0.3], [0.7, 0.6], [0.5, 0.9], [0.0, 1.0]])
    known = Embedded(np.zeros((0, 2, 1, 1)), at, np.zeros((5, 2)))
    query = np.array([[1.0, 0.1]])
    similarity = query @ at.T
    alike = np.array([[True, True, True, False, False]])
    weight = np.zeros((2, 2))
    near = find_semifactuals("features_cosine", similarity, np.array([3]), known, weight, alike)
    assert near[0].tolist() == [[2]]
    none = find_semifactuals("features_cosine", similarity, np.array([-1]), known, weight, alike)
    assert none[0].tolist() == [[-1]]


def test_marks_are_told_by_recall_and_heat(scene: Scene) -> None:
    marks = np.zeros((4, *IMAGES.shape[1:3]), np.uint8)
    assert mark_figures(scene, {}, marks, 0) == {}
    marks[:2, :8, :8] = 255
    heat = np.zeros((4, 8, 8), np.float32)
    heat[:, 0, 0] = 1
    found = mark_figures(scene, {"gradcam": heat}, marks, 0)
    assert found["n"] == 2
    assert found["heatmaps"]["gradcam"]["pointing_game"] == 1
    recall = found["recall"]
    assert sum(one[side]["n"] for one in recall.values() for side in ("marked", "unmarked")) == 4
