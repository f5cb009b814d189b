"""The known ways in which prototype networks collapse, and that this one's losses avoid them."""

from collections.abc import Callable

import pytest
import torch

from stages.protopnet.losses import (
    anchor_loss,
    cluster_loss,
    diversity_loss,
    overlap_loss,
    separation_loss,
)

OWNER = torch.tensor([0, 0, 1, 1])


def negative_similarities() -> torch.Tensor:
    return torch.tensor([[-0.5, -0.2, 0.9, 0.1], [0.3, 0.8, -0.7, -0.4]], requires_grad=True)


def test_the_usual_masked_maximum_has_no_gradient_where_similarities_are_negative() -> None:
    best = negative_similarities()
    mask = (torch.tensor([0, 1])[:, None] == OWNER).float()
    (1 - (best * mask).amax(dim=1)).mean().backward()
    assert best.grad is not None
    assert (best.grad[:, :2] * mask[:, :2]).abs().max() == 0


def test_ours_pulls_the_nearest_own_prototype_all_the_same() -> None:
    best = negative_similarities()
    loss = cluster_loss(best, OWNER, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(1 - (-0.2 - 0.4) / 2)
    loss.backward()
    assert best.grad is not None
    assert best.grad.tolist() == [[0, -0.5, 0, 0], [0, 0, 0, -0.5]]


def test_a_prototype_opposite_to_every_patch_finds_back_by_our_loss_alone() -> None:
    patches = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [1.0, -0.1]]), dim=1)
    labels = torch.tensor([0, 0])

    def usual(best: torch.Tensor, owner: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        mask = (owner == labels[:, None]).float()
        return (1 - (best * mask).amax(dim=1)).mean()

    def learnt(loss: Callable[..., torch.Tensor]) -> torch.Tensor:
        vectors = torch.tensor([[-1.0, 0.3], [-1.0, 0.0], [-1.0, -1.0]], requires_grad=True)
        optimizer = torch.optim.SGD([vectors], lr=1.0)
        for _ in range(50):
            best = patches @ torch.nn.functional.normalize(vectors, dim=1).T
            optimizer.zero_grad()
            loss(best, torch.tensor([0, 0, 1]), labels).backward()
            optimizer.step()
        return (patches @ torch.nn.functional.normalize(vectors, dim=1).T)[:, :2].detach()

    assert learnt(usual).max() < 0
    assert learnt(cluster_loss).max() > 0.9


def test_separation_pushes_the_nearest_foreign_prototype() -> None:
    best = negative_similarities()
    loss = separation_loss(best, OWNER, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx((0.9 + 0.8) / 2)
    loss.backward()
    assert best.grad is not None
    assert best.grad.tolist() == [[0, 0, 0.5, 0], [0, 0.5, 0, 0]]


def test_anchor_pulls_every_prototype_to_its_nearest_own_patch() -> None:
    best = negative_similarities()
    loss = anchor_loss(best, OWNER, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(1 - (-0.5 - 0.2 - 0.7 - 0.4) / 4)
    loss.backward()
    assert best.grad is not None
    assert best.grad.tolist() == [[-0.25, -0.25, 0, 0], [0, 0, -0.25, -0.25]]


def test_diversity_parts_prototypes_of_one_class_only() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    loss = diversity_loss(vectors, OWNER, 0.6)
    cosine = 1 / (1 + 0.1**2) ** 0.5
    assert loss.item() == pytest.approx(2 * (cosine - 0.6) / 4, rel=1e-5)
    loss.backward()
    assert vectors.grad is not None
    moved = vectors.grad.abs().sum(dim=1)
    assert (moved[:2] > 0).any()
    assert (moved[2:] == 0).all()
    assert diversity_loss(vectors, OWNER, 1.0).item() == 0


def seen_at(*places: tuple[int, int]) -> torch.Tensor:
    """Return the similarities of one image and prototypes that match it at ``places`` alone."""
    similar = torch.zeros(1, len(places), 8, 8)
    for prototype, (y, x) in enumerate(places):
        similar[0, prototype, y, x] = 1
    return similar


@pytest.mark.parametrize(
    ("places", "least", "most"),
    [
        ([(2, 2), (2, 2), (6, 6), (6, 6)], 0.95, 1),
        ([(2, 2), (2, 3), (6, 6), (6, 6)], 0.95, 1),
        ([(2, 2), (2, 5), (2, 2), (2, 2)], 0, 0.01),
    ],
)
def test_prototypes_of_the_own_class_overlap_where_their_places_touch(
    places: list[tuple[int, int]], least: float, most: float
) -> None:
    loss = overlap_loss(seen_at(*places), OWNER, torch.tensor([0]))
    assert least <= loss.item() <= most


def test_overlap_is_the_mean_over_ordered_pairs() -> None:
    owner, label = torch.tensor([0, 0, 0, 1]), torch.tensor([0])
    two_of_three = overlap_loss(seen_at((2, 2), (2, 2), (6, 6), (2, 2)), owner, label)
    assert two_of_three.item() == pytest.approx(1 / 3, abs=0.02)


def test_overlap_sends_the_weaker_match_elsewhere() -> None:
    similar = seen_at((2, 2), (2, 2), (5, 5), (5, 5))
    similar[0, 1, 6, 6] = 0.95
    similar.requires_grad_()
    overlap_loss(similar, OWNER, torch.tensor([0])).backward()
    assert similar.grad is not None
    assert similar.grad[0, 1, 2, 2] > 0 > similar.grad[0, 1, 6, 6]
    assert (similar.grad[0, 2:] == 0).all(), "the other class is left alone"


def test_a_prototype_alone_in_its_class_overlaps_with_none() -> None:
    assert overlap_loss(seen_at((2, 2), (2, 2)), torch.tensor([0, 1]), torch.tensor([1])) == 0
