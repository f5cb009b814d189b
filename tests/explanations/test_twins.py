"""Neighbours in every space, filtered and not, what their vote says, and where they are alike."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from tests.seen import WEIGHT, embedded, embedded_in_levels
from twincam.explanations.twins import neighbours
from twincam.explanations.twins.fidelity import ASKED, fidelity, fidelity_figures, most_faithful
from twincam.explanations.twins.neighbours import nearest, vote
from twincam.explanations.twins.spaces import (
    SPACES,
    Space,
    features_cosine,
    nearest_in,
    shared_map,
    similarity,
    spaces_that_compare,
)
from twincam.models.embedded import Embedded, at

QUERY, REFERENCES = embedded(6), embedded(20)


def found_in(space: str) -> np.ndarray:
    return similarity(space, QUERY, REFERENCES, WEIGHT)


def test_cosine_and_euclid_are_scikit_learns() -> None:
    pair = QUERY.features, REFERENCES.features
    assert found_in("features_cosine") == pytest.approx(cosine_similarity(*pair))
    assert found_in("features_euclidean") == pytest.approx(-euclidean_distances(*pair))


def test_contributions_weigh_each_side_by_its_own_predicted_row() -> None:
    ours = found_in("contributions")
    q, t = 2, 11
    a = QUERY.features[q] * WEIGHT[QUERY.logits[q].argmax()]
    b = REFERENCES.features[t] * WEIGHT[REFERENCES.logits[t].argmax()]
    assert ours[q, t] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_control_weighs_both_sides_by_the_querys_margin() -> None:
    ours = found_in("contributions_margin")
    q, t = 3, 7
    best, second = np.argsort(-QUERY.logits[q])[:2]
    row = WEIGHT[best] - WEIGHT[second]
    a, b = QUERY.features[q] * row, REFERENCES.features[t] * row
    assert ours[q, t] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_maps_match_each_cell_of_the_query_wherever_its_like_stands() -> None:
    cells, others = (side.maps[0][0].reshape(8, 6).T for side in (QUERY, REFERENCES))
    expected = cosine_similarity(cells, others).max(axis=1).mean()
    assert found_in("maps")[0, 0] == pytest.approx(expected)
    mirrored = QUERY._replace(maps=(QUERY.maps[0][:, :, ::-1, ::-1],))
    assert similarity("maps", QUERY, mirrored, WEIGHT).diagonal() == pytest.approx(1)


def test_vote_is_the_majority_and_ties_go_to_the_nearest() -> None:
    labels = np.array([[0, 1, 1], [2, 2, 0], [1, 0, 2], [1, 0, 0]])
    assert vote(labels).tolist() == [1, 2, 1, 0]


def on_a_line(places: list[float]) -> Embedded:
    """Return images whose one feature is their margin between classes 1 and 0."""
    margins = np.array(places)[:, None]
    return Embedded((), margins, np.hstack([np.zeros_like(margins), margins]))


def test_neighbours_that_follow_the_model_are_told_from_those_that_do_not() -> None:
    places = [-3.0, -2.5, -2.0, -1.5, -1.0, 1.0, 1.5, 2.0, 2.5, 3.0]
    references, query = on_a_line(places), on_a_line([-2.0, 2.0, 2.2])
    labels = np.array([0] * 5 + [1] * 5)
    distance = np.abs(query.features - references.features.T)
    near, far = (nearest(sign * distance, ASKED)[0] for sign in (-1, 1))
    follows = fidelity(near, query.logits, references.logits, labels)
    assert follows["agrees"].all()
    assert (follows["disagreement"] == 0).all()
    assert follows["neighbours_margin"].to_numpy() == pytest.approx([2.0, 2.0, 2.0])
    assert follows["margin"].to_numpy() == pytest.approx([2.0, 2.0, 2.2])
    assert follows["chance_margin"].to_numpy() == pytest.approx([0, 0, 0])
    against = fidelity(far, query.logits, references.logits, labels)
    assert not against["agrees"].any()

    wrong = np.array([False, False, True])
    figures = {
        name: fidelity_figures(table, wrong, 0)
        for name, table in (
            ("maps", follows),
            ("features_cosine", against),
            ("contributions", follows),
        )
    }
    assert figures["maps"]["margin_mae"].value == pytest.approx(0.2 / 3)
    assert figures["maps"]["margin_mae_chance"] == pytest.approx(6.2 / 3)
    assert figures["maps"]["disagreement_auroc"] == 0.5
    assert most_faithful(figures) == "maps"
    assert most_faithful({name: figures[name] for name in figures if name != "maps"}) == (
        "features_cosine"
    )
    assert "disagreement_auroc" not in fidelity_figures(follows, np.zeros(3, bool), 0)


def test_disagreement_warns_where_wrong_predictions_stand_among_others() -> None:
    near, _ = nearest(-np.abs(np.array([[-2.0], [2.0]]) - np.arange(-5.0, 5.0)), ASKED)
    table = fidelity(
        near,
        on_a_line([1.0, 1.0]).logits,
        on_a_line(list(np.arange(-5.0, 5.0))).logits,
        np.array([0] * 5 + [1] * 5),
    )
    assert fidelity_figures(table, np.array([True, False]), 0)["disagreement_auroc"] == 1


WITH_MAP = sorted(name for name, space in SPACES.items() if space.shared_map)
TWINS = embedded(6)


def test_every_space_has_a_map_or_says_why_not() -> None:
    assert {name for name, space in SPACES.items() if space.without_map} == set(SPACES) - set(
        WITH_MAP
    )
    assert len(WITH_MAP) == 5


@pytest.mark.parametrize("space", WITH_MAP)
def test_the_shared_map_adds_up_to_the_similarity(space: str) -> None:
    heat = shared_map(space, QUERY, TWINS, WEIGHT)
    assert heat.shape == (6, 2, 3)
    shown = similarity(space, QUERY, TWINS, WEIGHT).diagonal()
    assert heat.sum(axis=(1, 2)) == pytest.approx(shown)


@pytest.mark.parametrize("space", WITH_MAP)
def test_of_several_levels_the_coarsest_alone_is_compared(space: str) -> None:
    queries, twins = embedded_in_levels(6), embedded_in_levels(6)
    first, second = (
        one._replace(maps=one.maps[1:], features=one.features[:, 3:], finer=0)
        for one in (queries, twins)
    )
    shown = similarity(space, queries, twins, WEIGHT)
    assert shown == pytest.approx(similarity(space, first, second, WEIGHT[:, 3:]))
    heat = shared_map(space, queries, twins, WEIGHT)
    assert heat.shape == (6, 2, 3)
    assert heat.sum(axis=(1, 2)) == pytest.approx(shown.diagonal(), abs=1e-6)


@pytest.mark.parametrize("space", sorted(set(SPACES) - set(WITH_MAP)))
def test_a_space_without_a_map_shows_none(space: str) -> None:
    assert shared_map(space, QUERY, TWINS, WEIGHT).shape == (6, 2, 3)
    assert not shared_map(space, QUERY, TWINS, WEIGHT).any()


def test_a_new_space_is_one_entry_and_gets_no_map_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SPACES, "new", Space(features_cosine, None, without_map="it is a test"))
    assert "new" in spaces_that_compare({"features"})
    found = nearest_in("new", QUERY, TWINS, WEIGHT, 3)[1]
    assert found == pytest.approx(nearest(similarity_of(TWINS), 3)[1])
    assert not shared_map("new", QUERY, TWINS, WEIGHT).any()


def similarity_of(twins: Embedded) -> np.ndarray:
    return features_cosine(QUERY, twins, WEIGHT)


def test_only_what_is_there_is_compared() -> None:
    of_features = spaces_that_compare({"features"})
    assert {*spaces_that_compare({"features", "maps"})} == {*of_features, "maps"}
    assert {*of_features, "maps", "clip"} == set(SPACES)


@pytest.mark.parametrize("space", SPACES)
def test_the_nearest_in_a_space_are_those_of_all_its_similarities(
    space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "QUERIES", 4)
    monkeypatch.setattr(neighbours, "REFERENCES", 7)
    found = nearest_in(space, QUERY, REFERENCES, WEIGHT, 4)
    order = np.argsort(-found_in(space), axis=1)[:, :4]
    assert (found[0] == order).all()
    assert found[1] == pytest.approx(np.take_along_axis(found_in(space), order, axis=1))


def test_heat_is_where_the_likeness_is() -> None:
    maps = np.zeros((1, 8, 2, 3))
    maps[0, :, 1, 2] = TWINS.features[0]
    query = Embedded((maps,), maps.mean(axis=(2, 3)), maps.mean(axis=(2, 3)) @ WEIGHT.T)
    one = at(TWINS, slice(0, 1))
    heat = shared_map("features_cosine", query, one, WEIGHT)[0]
    assert heat[1, 2] == pytest.approx(1)
    assert np.count_nonzero(heat) == 1
