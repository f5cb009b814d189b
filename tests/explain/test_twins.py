"""Spaces are chosen out of fold, and what they find does not depend on batches."""

import numpy as np
import pandas as pd
import pytest

from stages.explain.params import Params
from stages.explain.run import Run, reference_maps
from stages.explain.twins import (
    Search,
    all_searches,
    choose_space,
    find_twins,
    out_of_fold_figures,
    shared_attribute,
    shared_maps,
)
from tests.conftest import ROOT
from tests.explain.runs import EVALUATED, TRAIN, tiny_run
from tests.fitted import IMAGES
from twincam.explanations.twins.neighbours import looked_up
from twincam.explanations.twins.spaces import SPACES, Space, features_cosine
from twincam.files.params_file import read_params

PARAMS = read_params(ROOT / "params.yaml", Params)
ALL = slice(None)
NOTHING = pd.DataFrame({"space": []})


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def similarities(run: Run) -> dict[str, np.ndarray]:
    return {name: search.compare(ALL, ALL) for name, search in all_searches(run, 100).items()}


def with_explain(**changes: object) -> Params:
    return PARAMS.model_copy(update={"explain": PARAMS.explain.model_copy(update=changes)})


def test_twins_carry_the_predicted_label_and_the_neighbourhood_any(run: Run) -> None:
    found = find_twins(run, with_explain(twins=3), NOTHING)
    assert found.space == "features_cosine"
    labels = run.table["label"].to_numpy()[TRAIN]
    predicted = run.table["predicted"].to_numpy()[EVALUATED]
    similarity = found.search.compare(ALL, ALL)
    for q, kind in enumerate(predicted):
        near = similarity[q]
        twins, values = (part[q] for part in found.neighbours["twins"])
        assert (labels[twins] == kind).all()
        assert values[0] == near[labels == kind].max()
        assert found.neighbours["neighbourhood"][1][q, 0] == near.max()
    assert found.shared.sum(axis=(2, 3)) == pytest.approx(found.neighbours["twins"][1], rel=1e-4)
    assert set(found.metrics["twins"]) == set(SPACES) - {"clip"}


def test_similarities_and_shared_maps_do_not_depend_on_batches(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = np.array([[3, 1], [-1, -1], [0, 2], [5, 4]])
    whole = similarities(run), shared_maps(run, twins, "maps")
    monkeypatch.setattr("stages.explain.run.BATCH", 3)
    parts = similarities(run), shared_maps(run, twins, "maps")
    assert "maps" in whole[0]
    for space, values in whole[0].items():
        assert parts[0][space] == pytest.approx(values, rel=1e-4, abs=1e-5)
    assert parts[1] == pytest.approx(whole[1], rel=1e-4, abs=1e-5)
    shown = np.take_along_axis(whole[0]["maps"], twins, axis=1)
    assert whole[1].sum(axis=(2, 3))[twins >= 0] == pytest.approx(shown[twins >= 0], rel=1e-4)
    assert not whole[1][1].any()


def test_too_many_images_are_not_compared_by_cells(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("twincam.explanations.twins.spaces.PAIRS", 10)
    maps = reference_maps(run.network, IMAGES, TRAIN, len(EVALUATED))
    assert len(maps) == 0
    large = run._replace(maps=maps)
    assert "maps" not in similarities(large)
    assert find_twins(large, with_explain(space="maps"), NOTHING).space == "features_cosine"
    assert "too many images" in capsys.readouterr().err


def test_clip_compares_its_own_features_and_shares_no_map(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_twins(run, with_explain(space="clip"), NOTHING).space == "features_cosine"
    assert "explain.clip is none" in capsys.readouterr().err
    clip = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    clip /= np.linalg.norm(clip, axis=1, keepdims=True)
    found = find_twins(run._replace(clip=clip), with_explain(space="clip"), NOTHING)
    assert found.space == "clip"
    assert found.search.compare(ALL, ALL) == pytest.approx(
        clip[EVALUATED] @ clip[TRAIN].T, abs=1e-6
    )
    assert found.shared.shape == (4, PARAMS.explain.twins, 2, 2)
    assert not found.shared.any()


def test_a_space_newly_registered_without_a_map_is_measured_and_gets_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SPACES, "new", Space(features_cosine, None, without_map="it is a test"))
    found = find_twins(run, with_explain(space="new"), NOTHING)
    assert found.space == "new"
    assert "new" in found.metrics["twins"]
    assert not found.shared.any()


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


REFERENCES = np.array(["ear"] * 5 + ["tail"] * 5 + [""] * 10)


def search_in(similarity: np.ndarray) -> Search:
    return Search(looked_up(similarity), looked_up(similarity), 100)


def test_the_nearest_five_are_counted_among_images_that_have_a_value() -> None:
    queries = np.array(["ear", "tail", ""])
    near = np.zeros((3, 20))
    near[0, :5], near[1, :5] = 1, 1
    near[:, 10:] = 2
    found = shared_attribute(search_in(near), queries, REFERENCES, 0)
    assert found["n"] == 2
    assert found["share"] == 0.5
    assert found["chance"] == 0.5
    assert found["over_chance"].low <= 0 <= found["over_chance"].high


def test_nothing_is_said_where_too_few_have_a_value() -> None:
    few, both = np.array(["ear", ""]), np.array(["ear", "tail"])
    assert shared_attribute(search_in(np.zeros((2, 20))), few, REFERENCES, 0) == {}
    assert shared_attribute(search_in(np.zeros((2, 20))), both, np.full(20, ""), 0) == {}


def test_among_too_many_training_images_most_neighbours_are_found_and_the_share_is_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = find_twins(run, with_explain(twins=3), NOTHING)
    assert "neighbour_recall" not in exact.metrics["twins"]["features_cosine"]
    lists = with_explain(twins=3, exact_neighbours_up_to=3)
    found = find_twins(run, lists, NOTHING)
    for kind, (indices, _) in exact.neighbours.items():
        assert (found.neighbours[kind][0] == indices).all(), "all three lists are searched"
    assert found.metrics["twins"]["features_cosine"]["neighbour_recall"].value == 1
    monkeypatch.setattr("twincam.explanations.twins.neighbours.PROBED", 1)
    monkeypatch.setattr("stages.explain.twins.ASKED", 1)
    partly = find_twins(run, lists, NOTHING).metrics["twins"]["features_cosine"]
    assert 0 <= partly["neighbour_recall"].value < 1
