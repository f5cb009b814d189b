"""Panels are drawn for every error and for a seeded, balanced choice of the rest."""

import pandas as pd

from stages.panels.choice import MOST_WRONG, choose_shown


def test_shown_are_all_errors_and_a_seeded_balanced_choice_of_the_rest() -> None:
    labels = ["a"] * 20 + ["b"] * 10
    predicted = ["b", *labels[1:]]
    queries = pd.DataFrame({"id": range(30), "label": labels, "predicted": predicted})
    queries["confidence"] = 0.9
    shown = choose_shown(queries, 6, seed=0)
    assert shown[0] == 0
    assert len(set(shown)) == 7
    assert queries.iloc[shown[1:]]["label"].value_counts().to_dict() == {"a": 3, "b": 3}
    assert choose_shown(queries, 6, seed=0).tolist() == shown.tolist()
    assert choose_shown(queries, 6, seed=1).tolist() != shown.tolist()
    assert choose_shown(queries, 0, seed=0).tolist() == [0]
    assert len(choose_shown(queries, 100, seed=0)) == 30


def test_of_many_errors_the_most_confident_are_shown() -> None:
    queries = pd.DataFrame({"label": ["a"] * 200, "predicted": ["b"] * 200})
    queries["confidence"] = [0.5 + position / 1000 for position in range(200)]
    assert choose_shown(queries, 5, seed=0).tolist() == list(range(200 - MOST_WRONG, 200))
