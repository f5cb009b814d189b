"""Estimates of influence against their definitions, and against what leaving out really does."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from stages.explain import influence
from stages.explain.influence import (
    RIDGE,
    Head,
    choose,
    estimates,
    gradients,
    hub_chance,
    hub_hits,
    influence_figures,
    influential,
    leave_one_out,
    refit_head,
    representer,
    second_order,
    within_labels,
)
from twincam.statistics.ranking import rank_correlations
from twincam.statistics.sampling import draw_in_turn


class Problem(NamedTuple):
    known: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def head(self) -> Head:
        return refit_head(*self)


def problem(images: int, width: int, classes: int, apart: float = 0.5) -> Problem:
    """Return overlapping classes, and the rule that made them as the network's head."""
    rng = np.random.default_rng(images)
    centres = rng.normal(size=(classes, width)) * apart
    labels = rng.permutation(np.arange(images) % classes)
    known = rng.normal(size=(images, width)) + centres[labels] + 1
    queries = rng.normal(size=(12, width)) + centres[np.arange(12) % classes] + 1
    bias = -((centres + 1) ** 2).sum(axis=1) / 2
    return Problem(known.astype(np.float32), labels, queries.astype(np.float32), centres + 1, bias)


FEW_FEATURES, MORE_FEATURES_THAN_IMAGES = problem(60, 5, 3), problem(24, 40, 3, 0.3)
BOTH = pytest.mark.parametrize("data", [FEW_FEATURES, MORE_FEATURES_THAN_IMAGES])


def scikit_margins(data: Problem, kept: np.ndarray) -> np.ndarray:
    """Return the margins ``[Q]`` of scikit-learn's head for the network's pairs of classes."""
    scale = np.sqrt((data.known.astype(float) ** 2).sum(axis=1).mean())
    known, queries = (
        np.c_[features / scale, np.ones(len(features))] for features in (data.known, data.queries)
    )
    model = LogisticRegression(
        C=1 / (2 * RIDGE * len(known)), fit_intercept=False, tol=1e-10, max_iter=10_000
    )
    logits = queries @ model.fit(known[kept], data.labels[kept]).coef_.T
    order = np.argsort(-(data.queries @ data.weight.T + data.bias), axis=1)
    rows = np.arange(len(queries))
    return np.asarray(logits[rows, order[:, 0]] - logits[rows, order[:, 1]])


@BOTH
def test_the_refitted_head_is_the_convex_optimum(data: Problem) -> None:
    everyone = np.arange(len(data.known))
    assert data.head().margins() == pytest.approx(scikit_margins(data, everyone), abs=1e-5)


@BOTH
def test_leaving_out_is_a_refit_without_the_image(data: Problem) -> None:
    head, everyone = data.head(), np.arange(len(data.known))
    changes = leave_one_out(head, np.array([3, 11]))
    for place, one in enumerate((3, 11)):
        without = scikit_margins(data, np.delete(everyone, one))
        assert changes[:, place] == pytest.approx(head.margins() - without, abs=2e-5)
    assert np.abs(changes).max() > 1e-2


@BOTH
def test_representer_values_add_up_to_the_refitted_margin(data: Problem) -> None:
    head = data.head()
    assert representer(head).shape == (12, len(data.known))
    assert representer(head).sum(axis=1) == pytest.approx(head.margins(), abs=1e-5)


def test_gradients_are_those_of_the_losses() -> None:
    data = FEW_FEATURES
    module = torch.nn.Linear(5, 3).double()
    module.weight.data, module.bias.data = map(torch.tensor, (data.weight, data.bias))

    def gradient(features: np.ndarray, label: int) -> np.ndarray:
        module.zero_grad()
        logits = module(torch.tensor(features[None].astype(np.float64)))
        torch.nn.functional.cross_entropy(logits, torch.tensor([label])).backward()
        assert module.weight.grad is not None
        assert module.bias.grad is not None
        return torch.cat([module.weight.grad.ravel(), module.bias.grad]).numpy().copy()

    found = gradients((data.known, data.labels), data.queries, data.weight, data.bias)
    predicted = (data.queries @ data.weight.T + data.bias).argmax(axis=1)
    assert (predicted != np.arange(12) % 3).any()
    query = np.stack([gradient(*pair) for pair in zip(data.queries, predicted, strict=True)])
    train = np.stack([gradient(*pair) for pair in zip(data.known, data.labels, strict=True)])
    assert np.allclose(found["gradient_dot"], query @ train.T)
    lengths = np.outer(np.linalg.norm(query, axis=1), np.linalg.norm(train, axis=1))
    assert np.allclose(found["gradient_cosine"], query @ train.T / lengths)


def test_the_second_order_effect_is_what_leaving_out_does_where_one_image_is_little() -> None:
    data = problem(300, 4, 3)
    removed = np.arange(0, 300, 6)
    changes, effect = leave_one_out(data.head(), removed), second_order(data.head())[:, removed]
    assert np.abs(effect - changes).max() < 0.1 * np.abs(changes).max()
    assert rank_correlations(effect, changes).min() > 0.99


@pytest.mark.parametrize("classes", [2, 3])
def test_images_of_the_predicted_class_support_it_by_every_estimate(classes: int) -> None:
    data = problem(80, 6, classes)
    head = data.head()
    own = head.pairs[:, :1] == data.labels
    rival = head.pairs[:, 1:] == data.labels
    values = {
        **estimates(head, data.known, data.queries, data.weight, data.bias),
        "left out": leave_one_out(head, np.arange(80)),
    }
    assert len(values) == 5
    for table in values.values():
        assert table.shape == (12, 80)
        assert table[own].mean() > 0 > table[rival].mean()


def test_a_hessian_too_large_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    data = FEW_FEATURES
    monkeypatch.setattr(influence, "LARGEST_HESSIAN", 17)
    found = estimates(data.head(), data.known, data.queries, data.weight, data.bias)
    assert list(found) == ["gradient_dot", "gradient_cosine", "representer"]


def test_images_are_drawn_from_the_classes_in_turn() -> None:
    labels = np.array([0] * 50 + [1] * 3 + [2] * 10)
    drawn = draw_in_turn(labels, 12, 0)
    assert np.bincount(labels[drawn]).tolist() == [5, 3, 4]
    assert len(set(drawn)) == 12
    assert (drawn == draw_in_turn(labels, 12, 0)).all()
    assert (drawn != draw_in_turn(labels, 12, 1)).any()
    assert draw_in_turn(labels, 99, 0).tolist() == list(range(63))


def test_rank_correlation_is_spearmans_and_a_constant_says_nothing() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (2, 5, 20)).astype(float)
    expected = [stats.spearmanr(*rows).statistic for rows in zip(first, second, strict=True)]
    assert rank_correlations(first, second) == pytest.approx(expected)
    assert rank_correlations(np.ones((2, 4)), rng.random((2, 4))).tolist() == [0, 0]


def test_within_labels_the_label_itself_explains_nothing() -> None:
    labels = np.repeat([0, 1, 2], [10, 10, 2])
    rng = np.random.default_rng(0)
    noise = rng.random((3, 22))
    effect = noise + 5 * labels
    assert rank_correlations(labels + 0 * effect, effect).min() > 0.8
    assert within_labels(labels + 0 * effect, effect, labels).tolist() == [0, 0, 0]
    assert within_labels(noise - 9 * labels, effect, labels) == pytest.approx([1, 1, 1])
    assert within_labels(noise[:, 20:], effect[:, 20:], labels[20:]).tolist() == [0, 0, 0]


def test_a_hub_of_each_class_is_found_and_chance_is_what_drawing_gives() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = np.arange(60) % 2, np.arange(40) % 2

    def shown() -> np.ndarray:
        drawn = [rng.permutation(np.flatnonzero(labels == one))[:5] for one in predicted]
        return np.stack(drawn)

    top = shown()
    top[predicted == 0, 0], top[predicted == 1, 3] = 58, 59
    top[0] = [0, 2, 4, 6, 8]
    assert hub_hits(top, predicted).tolist() == [False] + [True] * 39
    chance = hub_chance(labels, predicted, 5)
    draws = [shown() for _ in range(500)]
    most = np.mean([hub_hits(one, predicted).mean() for one in draws])
    distinct = np.mean([len(np.unique(one)) for one in draws])
    assert chance["hub_share_chance"] == pytest.approx(most, rel=0.05)
    assert chance["distinct_chance"] == pytest.approx(distinct, rel=0.02)


def test_the_best_estimate_without_a_hub_is_chosen() -> None:
    figures = {
        "hub": {"loo_correlation": 0.9, "hub_share": 0.61},
        "good": {"loo_correlation": 0.8, "hub_share": 0.60},
        "fair": {"loo_correlation": 0.5, "hub_share": 0.1},
    }
    assert choose(figures, chance=0.2) == "good"
    assert choose(figures, chance=0.3) == "hub"
    assert choose(figures, chance=0.1) == "fair"
    assert choose({name: figures[name] for name in ("hub", "good")}, chance=0) == "good"
    at_the_limit = {"loo_correlation": 0.7, "hub_share": 0.5}
    assert choose({**figures, "limit": at_the_limit}, chance=0) == "limit"


def test_figures_tell_knowledge_of_the_image_from_knowledge_of_its_label_and_from_none() -> None:
    data = problem(80, 6, 2)
    head, removed = data.head(), draw_in_turn(data.labels, 40, 0)
    everything = leave_one_out(head, np.arange(80))
    changes = everything[:, removed]
    label = np.where(head.pairs[:, :1] == data.labels, 1.0, -1.0)
    hub = everything.copy()
    hub[head.pairs[:, 0] == 0, 5] = hub[head.pairs[:, 0] == 1, 6] = 1e9
    values = {
        "all": everything,
        "label only": label,
        "none": np.random.default_rng(0).random(label.shape),
        "hub": hub,
    }
    figures = influence_figures(head, values, removed, changes, 0)
    assert (figures["n"], figures["train"], figures["refits"]) == (12, 80, 40)
    assert figures["refit_agreement"] == (head.margins() > 0).mean()
    best, blunt, blind = (figures[name] for name in ("all", "label only", "none"))
    assert best["loo_correlation"] == best["loo_correlation_within_label"] == pytest.approx(1)
    assert best["loo_correlation_over_label"]["low"] > 0
    assert blunt["loo_correlation"] == figures["label"]["loo_correlation"] > 0.3
    assert blunt["loo_correlation_over_label"] == {"difference": 0, "low": 0, "high": 0}
    assert blunt["loo_correlation_within_label"] == 0
    assert blind["loo_correlation_low"] < 0 < blind["loo_correlation_high"]
    assert blind["loo_correlation_over_label"]["high"] < 0
    assert blind["hub_share"] < figures["hub"]["hub_share"] == 1
    assert figures["hub"]["distinct"] == len(
        np.unique(np.argsort(-hub, axis=1, kind="stable")[:, :5])
    )
    assert influence_figures(head, values, removed, changes, 0) == figures


def test_the_choice_never_looks_at_the_evaluated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def worst(figures: Mapping[str, Mapping[str, float]], chance: float) -> str:
        asked.append((figures, chance))
        return min(figures, key=lambda name: figures[name]["loo_correlation"])

    monkeypatch.setattr(influence, "choose", worst)
    data = problem(60, 8, 2)
    train, others = (data.known, data.labels), data.queries[::-1] * 3 - 1
    found, again, other = (
        influential(train, queries, data.weight, data.bias, 20, 0)
        for queries in (data.queries, data.queries, others)
    )
    assert found.metrics == again.metrics
    assert (found.values == again.values).all()
    assert found.metrics["choice"] == other.metrics["choice"]
    assert found.metrics["evaluated"] != other.metrics["evaluated"]
    assert found.chosen == found.metrics["chosen"] == other.chosen != "second_order"
    figures, chance = asked[0]
    assert chance == found.metrics["choice"]["hub_share_chance"]
    assert all(found.metrics["choice"][name] == figures[name] for name in figures)
    assert found.metrics["choice"]["n"] == 12
    assert found.metrics["choice"]["train"] == 48
    assert found.metrics["evaluated"]["train"] == 60
    table = estimates(data.head(), data.known, data.queries, data.weight, data.bias)
    assert (found.values == table[found.chosen]).all()


def test_four_images_are_enough() -> None:
    data = problem(4, 8, 2)
    found = influential((data.known, data.labels), data.queries[:1], data.weight, data.bias, 60, 0)
    assert found.values.shape == (1, 4)
    assert found.metrics["evaluated"]["refits"] == 4
