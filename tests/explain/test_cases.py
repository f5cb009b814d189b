"""What explains a case is found, named, and drawn for the right cases."""

import numpy as np
import pandas as pd

from stages.explain.cases import choose_shown, neighbour_table
from stages.explain.neighbours import find_neighbours

RNG = np.random.default_rng(0)
NEAR = RNG.normal(size=(6, 20))
PREDICTED = np.array([0, 1, 2, 0, 1, 2])


def test_twins_carry_the_predicted_label_and_the_counterfactual_another_prediction() -> None:
    labels, known_predicted = RNG.integers(0, 3, (2, 20))
    known = pd.DataFrame({"label": labels, "predicted": known_predicted})
    found = find_neighbours(NEAR, pd.DataFrame({"predicted": PREDICTED}), known, 4)
    for q, kind in enumerate(PREDICTED):
        twins = found["twins"][0][q]
        assert (labels[twins[twins >= 0]] == kind).all()
        best_of_kind = NEAR[q][labels == kind].max()
        assert found["twins"][1][q, 0] == best_of_kind
        assert found["neighbourhood"][1][q, 0] == NEAR[q].max()
        assert known_predicted[found["counterfactual"][0][q, 0]] != kind
        assert found["counterfactual"][1][q, 0] == NEAR[q][known_predicted != kind].max()


def test_table_names_every_neighbour_found() -> None:
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
    found = find_neighbours(NEAR, queries, known, 2)
    table = neighbour_table(found, queries, known)
    counts = table.groupby("kind").size().to_dict()
    assert counts == {"twins": 12, "neighbourhood": 12, "counterfactual": 6}
    first = table[(table["id"] == "b") & (table["kind"] == "neighbourhood")].iloc[0]
    assert first["neighbour"] == f"t{NEAR[1].argmax()}"
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
