"""The estimate is chosen on training images alone, and evaluated against labels and chance."""

from collections.abc import Mapping

import numpy as np
import pytest

from stages.explain import influence
from stages.explain.influence import (
    choose,
    choose_estimate,
    find_influential,
    hub_chance,
    hub_hits,
    influence_figures,
    within_labels,
)
from stages.explain.params import Params
from tests.conftest import ROOT
from tests.explain.runs import tiny_run
from tests.explanations.problems import problem
from twincam.explanations.influence import estimates, leave_one_out
from twincam.explanations.twins.neighbours import looked_up
from twincam.files.metrics import Estimate, spelled
from twincam.files.params_file import read_params
from twincam.statistics.ranking import rank_correlations
from twincam.statistics.sampling import sample_balanced

ALL = slice(None)


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
    def measured(loo_correlation: float, hub_share: float) -> dict[str, Estimate]:
        found = {"loo_correlation": loo_correlation, "hub_share": hub_share}
        return {name: Estimate(value, value, value, 9) for name, value in found.items()}

    figures = {
        "hub": measured(0.9, 0.61),
        "good": measured(0.8, 0.60),
        "fair": measured(0.5, 0.1),
    }
    assert choose(figures, chance=0.2) == "good"
    assert choose(figures, chance=0.3) == "hub"
    assert choose(figures, chance=0.1) == "fair"
    assert choose({name: figures[name] for name in ("hub", "good")}, chance=0) == "good"
    assert choose({**figures, "limit": measured(0.7, 0.5)}, chance=0) == "limit"


def test_figures_tell_knowledge_of_the_image_from_knowledge_of_its_label_and_from_none() -> None:
    data = problem(80, 6, 2)
    head, removed = data.head(), sample_balanced(data.labels, 40, 0)
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
    compared = {name: looked_up(table) for name, table in values.items()}
    figures = spelled(influence_figures(head, compared, removed, changes, 0))
    assert (figures["n"], figures["train"], figures["refits"]) == (12, 80, 40)
    assert figures["refit_agreement"] == (head.margins() > 0).mean()
    best, blunt, blind = (figures[name] for name in ("all", "label only", "none"))
    assert best["loo_correlation"] == best["loo_correlation_within_label"] == pytest.approx(1)
    assert best["loo_correlation_over_label_low"] > 0
    assert blunt["loo_correlation"] == figures["label"]["loo_correlation"] > 0.3
    assert blunt["loo_correlation_over_label"] == 0
    assert blunt["loo_correlation_over_label_low"] == blunt["loo_correlation_over_label_high"] == 0
    assert blunt["loo_correlation_within_label"] == 0
    assert blind["loo_correlation_low"] < 0 < blind["loo_correlation_high"]
    assert blind["loo_correlation_over_label_high"] < 0
    assert blind["hub_share"] < figures["hub"]["hub_share"] == 1
    assert figures["hub"]["distinct"] == len(
        np.unique(np.argsort(-hub, axis=1, kind="stable")[:, :5])
    )
    assert spelled(influence_figures(head, compared, removed, changes, 0)) == figures


def test_the_choice_never_looks_at_the_evaluated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def worst(figures: Mapping[str, Mapping[str, Estimate]], chance: float) -> str:
        asked.append((figures, chance))
        return min(figures, key=lambda name: figures[name]["loo_correlation"].value)

    monkeypatch.setattr(influence, "choose", worst)
    data = problem(60, 8, 2)
    train, others = (data.references, data.labels), data.queries[::-1] * 3 - 1
    found, again, other = (
        choose_estimate(train, queries, data.weight, data.bias, 20, 0)
        for queries in (data.queries, data.queries, others)
    )
    assert found.metrics == again.metrics
    assert (found.values(ALL, ALL) == again.values(ALL, ALL)).all()
    assert found.metrics["choice"] == other.metrics["choice"]
    assert found.metrics["evaluated"] != other.metrics["evaluated"]
    assert found.chosen == found.metrics["chosen"] == other.chosen != "second_order"
    figures, chance = asked[0]
    assert chance == found.metrics["choice"]["hub_share_chance"]
    assert all(found.metrics["choice"][name] == figures[name] for name in figures)
    assert found.metrics["choice"]["n"] == 12
    assert found.metrics["choice"]["train"] == 48
    assert found.metrics["evaluated"]["train"] == 60
    table = estimates(data.head(), data.references, data.queries, data.weight, data.bias)
    assert (found.values(ALL, ALL) == table[found.chosen](ALL, ALL)).all()


def test_four_images_are_enough() -> None:
    data = problem(4, 8, 2)
    found = choose_estimate(
        (data.references, data.labels), data.queries[:1], data.weight, data.bias, 60, 0
    )
    assert found.values(ALL, ALL).shape == (1, 4)
    assert found.metrics["evaluated"]["refits"] == 4


def test_the_run_s_influential_images_are_named_unless_none_are_asked_for() -> None:
    params, run = read_params(ROOT / "params.yaml", Params), tiny_run()
    few = params.explain.model_copy(update={"influence_refits": 3, "twins": 2})
    found = find_influential(run, params.model_copy(update={"explain": few}))
    assert found.neighbours["influential"][0].shape == (4, 2)
    assert found.metrics["influence"]["evaluated"]["refits"] == 3
    none = params.explain.model_copy(update={"influence_refits": 0})
    nothing = find_influential(run, params.model_copy(update={"explain": none}))
    assert nothing == ({}, {}, {})
