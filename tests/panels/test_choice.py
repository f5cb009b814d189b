"""Panels are drawn for every error and for a seeded, balanced choice of the rest."""

import pandas as pd

from stages.panels.choice import choose_shown


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
