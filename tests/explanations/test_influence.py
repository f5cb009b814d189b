"""Estimates of influence against their definitions, and against what leaving out really does."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from tests.explanations.problems import Problem, problem
from twincam.explanations import influence
from twincam.explanations.influence import (
    RIDGE,
    estimates,
    gradients,
    inverse_hessian,
    leave_one_out,
    representer,
    second_order,
)
from twincam.statistics.ranking import rank_correlations
from twincam.statistics.sampling import sample_balanced

FEW_FEATURES, MORE_FEATURES_THAN_IMAGES = problem(60, 5, 3), problem(24, 40, 3, 0.3)
ALL = slice(None)
BOTH = pytest.mark.parametrize("data", [FEW_FEATURES, MORE_FEATURES_THAN_IMAGES])


def scikit_margins(data: Problem, kept: np.ndarray) -> np.ndarray:
    """Return the margins ``[Q]`` of scikit-learn's head for the network's pairs of classes."""
    scale = np.sqrt((data.references.astype(float) ** 2).sum(axis=1).mean())
    references, queries = (
        np.c_[features / scale, np.ones(len(features))]
        for features in (data.references, data.queries)
    )
    model = LogisticRegression(
        C=1 / (2 * RIDGE * len(references)), fit_intercept=False, tol=1e-10, max_iter=10_000
    )
    logits = queries @ model.fit(references[kept], data.labels[kept]).coef_.T
    order = np.argsort(-(data.queries @ data.weight.T + data.bias), axis=1)
    rows = np.arange(len(queries))
    return np.asarray(logits[rows, order[:, 0]] - logits[rows, order[:, 1]])


@BOTH
def test_the_refitted_head_is_the_convex_optimum(data: Problem) -> None:
    everyone = np.arange(len(data.references))
    assert data.head().margins() == pytest.approx(scikit_margins(data, everyone), abs=1e-5)


@BOTH
def test_leaving_out_is_a_refit_without_the_image(data: Problem) -> None:
    head, everyone = data.head(), np.arange(len(data.references))
    changes = leave_one_out(head, np.array([3, 11]))
    for place, one in enumerate((3, 11)):
        without = scikit_margins(data, np.delete(everyone, one))
        assert changes[:, place] == pytest.approx(head.margins() - without, abs=2e-5)
    assert np.abs(changes).max() > 1e-2


@BOTH
def test_representer_values_add_up_to_the_refitted_margin(data: Problem) -> None:
    head = data.head()
    values = representer(head)(ALL, ALL)
    assert values.shape == (12, len(data.references))
    assert values.sum(axis=1) == pytest.approx(head.margins(), abs=1e-5)


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

    found = gradients((data.references, data.labels), data.queries, data.weight, data.bias)
    predicted = (data.queries @ data.weight.T + data.bias).argmax(axis=1)
    assert (predicted != np.arange(12) % 3).any()
    query = np.stack([gradient(*pair) for pair in zip(data.queries, predicted, strict=True)])
    train = np.stack([gradient(*pair) for pair in zip(data.references, data.labels, strict=True)])
    assert np.allclose(found["gradient_dot"](ALL, ALL), query @ train.T)
    lengths = np.outer(np.linalg.norm(query, axis=1), np.linalg.norm(train, axis=1))
    assert np.allclose(found["gradient_cosine"](ALL, ALL), query @ train.T / lengths)


def test_the_second_order_effect_is_what_leaving_out_does_where_one_image_is_little() -> None:
    data = problem(300, 4, 3)
    removed = np.arange(0, 300, 6)
    head = data.head()
    effect = second_order(head, inverse_hessian(head))(ALL, removed)
    changes = leave_one_out(head, removed)
    assert np.abs(effect - changes).max() < 0.1 * np.abs(changes).max()
    assert rank_correlations(effect, changes).min() > 0.99


@pytest.mark.parametrize("classes", [2, 3])
def test_images_of_the_predicted_class_support_it_by_every_estimate(classes: int) -> None:
    data = problem(80, 6, classes)
    head = data.head()
    own = head.pairs[:, :1] == data.labels
    rival = head.pairs[:, 1:] == data.labels
    given = estimates(head, data.references, data.queries, data.weight, data.bias)
    tables = [compare(ALL, ALL) for compare in given.values()]
    assert len(tables) == 4
    for table in [*tables, leave_one_out(head, np.arange(80))]:
        assert table.shape == (12, 80)
        assert table[own].mean() > 0 > table[rival].mean()


@BOTH
def test_a_part_of_an_estimate_is_that_part_of_the_whole(data: Problem) -> None:
    rows, columns = np.array([1, 4, 5]), np.array([7, 2, 3, 19])
    given = estimates(data.head(), data.references, data.queries, data.weight, data.bias)
    for compare in given.values():
        part = compare(ALL, ALL)[rows][:, columns]
        assert compare(rows, columns) == pytest.approx(part)
        assert compare(slice(2, 4), slice(5, 9)) == pytest.approx(compare(ALL, ALL)[2:4, 5:9])


def test_a_hessian_too_large_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    data = FEW_FEATURES
    monkeypatch.setattr(influence, "LARGEST_HESSIAN", 17)
    found = estimates(data.head(), data.references, data.queries, data.weight, data.bias)
    assert list(found) == ["gradient_dot", "gradient_cosine", "representer"]


def test_images_are_drawn_from_the_classes_in_turn() -> None:
    labels = np.array([0] * 50 + [1] * 3 + [2] * 10)
    drawn = sample_balanced(labels, 12, 0)
    assert np.bincount(labels[drawn]).tolist() == [5, 3, 4]
    assert len(set(drawn)) == 12
    assert (drawn == sample_balanced(labels, 12, 0)).all()
    assert (drawn != sample_balanced(labels, 12, 1)).any()
    assert sample_balanced(labels, 99, 0).tolist() == list(range(63))


def test_rank_correlation_is_spearmans_and_a_constant_says_nothing() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (2, 5, 20)).astype(float)
    expected = [stats.spearmanr(*rows).statistic for rows in zip(first, second, strict=True)]
    assert rank_correlations(first, second) == pytest.approx(expected)
    assert rank_correlations(np.ones((2, 4)), rng.random((2, 4))).tolist() == [0, 0]
