"""Neighbours in every space, filtered and not, and what their vote says."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from stages.explain.cases import choose_shown, find_neighbours, neighbour_table
from stages.explain.twins import SPACES, nearest, vote, vote_agreement

RNG = np.random.default_rng(0)
QUERY, KNOWN = RNG.normal(size=(6, 8)), RNG.normal(size=(20, 8))
WEIGHT = RNG.normal(size=(3, 8))
LOGITS, KNOWN_LOGITS = QUERY @ WEIGHT.T, KNOWN @ WEIGHT.T


def similarity(space: str) -> np.ndarray:
    return SPACES[space](QUERY, KNOWN, WEIGHT, LOGITS, KNOWN_LOGITS)


def test_cosine_and_euclid_are_scikit_learns() -> None:
    assert similarity("features_cosine") == pytest.approx(cosine_similarity(QUERY, KNOWN))
    assert similarity("features_euclidean") == pytest.approx(-euclidean_distances(QUERY, KNOWN))


def test_contributions_weigh_each_side_by_its_own_predicted_row() -> None:
    ours = similarity("contributions")
    q, t = 2, 11
    a = QUERY[q] * WEIGHT[LOGITS[q].argmax()]
    b = KNOWN[t] * WEIGHT[KNOWN_LOGITS[t].argmax()]
    assert ours[q, t] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_control_weighs_both_sides_by_the_querys_margin() -> None:
    ours = similarity("contributions_margin")
    q, t = 3, 7
    best, second = np.argsort(-LOGITS[q])[:2]
    row = WEIGHT[best] - WEIGHT[second]
    a, b = QUERY[q] * row, KNOWN[t] * row
    assert ours[q, t] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_nearest_is_sorted_and_ties_go_to_the_earlier() -> None:
    indices, values = nearest(np.array([[0.1, 0.9, 0.9, 0.5]]), 3)
    assert indices.tolist() == [[1, 2, 3]]
    assert values.tolist() == [[0.9, 0.9, 0.5]]


def test_too_few_allowed_leave_gaps() -> None:
    indices, values = nearest(np.array([[0.1, 0.9, 0.8]]), 2, np.array([[True, False, False]]))
    assert indices.tolist() == [[0, -1]]
    assert np.isnan(values[0, 1])


def test_vote_is_the_majority_and_ties_go_to_the_nearest() -> None:
    labels = np.array([[0, 1, 1], [2, 2, 0], [1, 0, 2], [1, 0, 0]])
    assert vote(labels).tolist() == [1, 2, 1, 0]
    assert vote_agreement(labels, np.array([1, 2, 0, 0])).tolist() == [True, True, False, True]


def test_twins_carry_the_predicted_label_and_the_counterfactual_another_prediction() -> None:
    near = similarity("features_cosine")
    predicted = LOGITS.argmax(1)
    labels, known_predicted = RNG.integers(0, 3, 20), KNOWN_LOGITS.argmax(1)
    known = pd.DataFrame({"label": labels, "predicted": known_predicted})
    found = find_neighbours(near, pd.DataFrame({"predicted": predicted}), known, 4)
    for q, kind in enumerate(predicted):
        twins = found.twins[0][q]
        assert (labels[twins[twins >= 0]] == kind).all()
        best_of_kind = near[q][labels == kind].max()
        assert found.twins[1][q, 0] == best_of_kind
        assert found.neighbourhood[1][q, 0] == near[q].max()
        assert known_predicted[found.counterfactual[0][q, 0]] != kind
        assert found.counterfactual[1][q, 0] == near[q][known_predicted != kind].max()


def test_table_names_every_neighbour_found() -> None:
    near = similarity("features_cosine")
    labels = np.array([0, 1] * 10)
    known = pd.DataFrame(
        {
            "id": [f"t{k}" for k in range(20)],
            "path": [f"p{k}" for k in range(20)],
            "label": labels,
            "predicted": labels,
        }
    )
    queries = pd.DataFrame({"id": list("abcdef"), "predicted": 0})
    found = find_neighbours(near, queries, known, 2)
    table = neighbour_table(found, queries, known)
    counts = table.groupby("kind").size().to_dict()
    assert counts == {"twins": 12, "neighbourhood": 12, "counterfactual": 6}
    first = table[(table["id"] == "b") & (table["kind"] == "neighbourhood")].iloc[0]
    assert first["neighbour"] == f"t{near[1].argmax()}"
    assert first["rank"] == 1


def test_shown_are_all_errors_and_a_seeded_balanced_choice_of_the_rest() -> None:
    labels = ["a"] * 20 + ["b"] * 10
    predicted = ["b", *labels[1:]]
    queries = pd.DataFrame({"id": range(30), "label": labels, "predicted": predicted})
    shown = choose_shown(queries, 6, seed=0)
    assert shown[0] == 0
    assert len(set(shown)) == 7
    assert queries.iloc[shown[1:]]["label"].value_counts().to_dict() == {"a": 3, "b": 3}
    assert choose_shown(queries, 6, seed=0).tolist() == shown.tolist()
    assert choose_shown(queries, 6, seed=1).tolist() != shown.tolist()
    assert choose_shown(queries, 0, seed=0).tolist() == [0]
    assert len(choose_shown(queries, 100, seed=0)) == 30
