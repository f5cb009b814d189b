"""Maps under noise and on networks with randomised weights."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from stages.faithfulness.controls import Sample
from stages.faithfulness.sanity import (
    cosines,
    gradcam_maps,
    noisy,
    randomised,
    same_maps,
    sanity_scores,
)
from tests.fitted import IMAGES, network
from twincam.explanations.gradcam import margin_maps, margin_rows
from twincam.models.architectures import HALF
from twincam.models.forward import embed_batch
from twincam.models.network import Network, create
from twincam.statistics.ranking import rank_correlations

IDS = np.array([f"{n:03}" for n in range(len(IMAGES))])
STEPS = ["head", "block_4", "block_3", "block_2", "block_1", "block_0"]


def squares(part: np.ndarray) -> np.ndarray:
    return IMAGES[part]


@pytest.fixture(scope="module")
def learnt() -> Network:
    """Return a network whose every tensor differs from what initialisation could draw."""
    own = network()
    with torch.no_grad():
        for tensor in own.module.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(0.9).add_(0.01)
    own.module.eval()
    return own


def weights(own: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in own.module.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_the_network_keeps_every_bit_while_its_copy_loses_one_part_after_another(
    learnt: Network,
) -> None:
    before = weights(learnt)
    steps, last = [], before
    parts = {"head": ("fc.",), "block_4": ("layer4.",), "block_0": ("conv1.", "bn1.")}
    for name, drawn in randomised(learnt, 0):
        now = weights(drawn)
        gone = changed(last, now)
        assert gone
        if name in parts:
            assert all(one.startswith(parts[name]) for one in gone)
        assert not drawn.module.training
        steps.append(name)
        last = now
    assert steps == STEPS
    floats = {name for name, tensor in before.items() if tensor.is_floating_point()}
    assert changed(before, last) >= floats
    assert changed(before, weights(learnt)) == set()


def test_the_default_architecture_is_randomised_whole() -> None:
    own = create("efficientnet_lite0", ("a", "b"), HALF)
    before = weights(own)
    (*_, (name, drawn)) = randomised(own, 0)
    assert name == "block_0"
    drawn_anew = {name for name, tensor in own.module.named_parameters() if tensor.ndim > 1}
    assert drawn_anew <= changed(before, weights(drawn))


def test_new_weights_depend_on_the_seed_alone(learnt: Network) -> None:
    torch.manual_seed(5)
    (*_, (_, first)) = randomised(learnt, 0)
    kept = weights(first)
    torch.manual_seed(6)
    (*_, (_, again)) = randomised(learnt, 0)
    (*_, (_, other)) = randomised(learnt, 1)
    assert changed(kept, weights(again)) == set()
    assert changed(kept, weights(other))


def test_maps_are_of_the_margin_that_the_given_logits_name(learnt: Network) -> None:
    seen = embed_batch(learnt, IMAGES)
    weight = learnt.head.weight.detach().numpy()
    own = gradcam_maps(learnt, squares, seen.logits)
    assert own == pytest.approx(margin_maps(seen.maps, weight, seen.logits), abs=1e-4)
    assert gradcam_maps(learnt, squares, -seen.logits) == pytest.approx(-own, abs=1e-4)
    assert np.array_equal(margin_rows(weight, -seen.logits), -margin_rows(weight, seen.logits))


def test_noise_is_small_and_depends_on_the_id_alone() -> None:
    grey = np.full((3, 16, 16, 3), 100, np.uint8)
    ids = np.array(["a", "b", "c"])
    shown = noisy(lambda part: grey[part], ids, 0, 0)
    first = shown(np.arange(3)).astype(int) - 100
    assert first.std() == pytest.approx(2, abs=0.2)
    assert np.array_equal(shown(np.array([2, 0])).astype(int) - 100, first[[2, 0]])
    assert not np.array_equal(first[0], first[1])
    again = noisy(lambda part: grey[part], ids, 1, 0)(np.arange(3)).astype(int) - 100
    assert not np.array_equal(again, first)


def test_correlations_are_spearmans_and_0_where_a_map_is_constant() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(4, 5, 6))
    other = np.round(one + rng.normal(size=one.shape))
    other[3] = 7
    found = rank_correlations(one, other)
    expected = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(one[:3], other[:3], strict=True)]
    assert found == pytest.approx([*expected, 0])
    assert cosines(one, np.stack([2 * one[0], -one[1], one[2], 0 * one[3]])) == pytest.approx(
        [1, -1, 1, 0]
    )


def test_maps_are_the_same_up_to_a_factor() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 4, 4))
    maps[2] = 0
    assert same_maps(maps, maps / 16)
    assert not same_maps(maps, -maps)
    assert not same_maps(maps, maps[:, ::-1])
    assert not same_maps(maps, maps[:, :2])


def test_scores_compare_each_image_with_itself_and_with_its_partner(learnt: Network) -> None:
    images = np.kron(IMAGES[:, :16, :16], np.ones((1, 8, 8, 1), np.uint8))
    logits = embed_batch(learnt, images).logits
    original = gradcam_maps(learnt, lambda part: images[part], logits)
    partner = np.roll(np.arange(len(images)), 1)
    before = copy.deepcopy(weights(learnt))
    sample = Sample(logits, IDS, partner)
    scores, series = sanity_scores(learnt, lambda part: images[part], sample, original, 0)
    assert changed(before, weights(learnt)) == set()
    assert list(series) == STEPS
    noise, gone = scores["noise_cosine"], scores["randomisation_similarity"]
    assert noise.own.min() > 0.9
    assert noise.controls["other_image"] == pytest.approx(cosines(original, original[partner]))
    assert scores["noise_similarity"].own.mean() > 0.8
    assert gone.own == pytest.approx(np.abs(series["block_0"].signed))
    assert gone.own.mean() < scores["noise_similarity"].own.mean()
    (*_, (_, forgot)) = randomised(learnt, 0)
    anew = gradcam_maps(forgot, lambda part: images[part], logits)
    assert series["block_0"].signed == pytest.approx(rank_correlations(original, anew))
    assert series["block_0"].absolute == pytest.approx(
        rank_correlations(np.abs(original), np.abs(anew))
    )
