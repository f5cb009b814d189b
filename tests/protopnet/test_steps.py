"""Placement, training, projection and refit of a prototype network on small real tensors."""

import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from stages.protopnet.last_layer import refit
from stages.protopnet.model import PrototypeNet
from stages.protopnet.placement import (
    MAX_IMAGES,
    assign_images,
    distinctive,
    require_images,
    sample_images,
    whitening,
)
from stages.protopnet.training import (
    balanced_batches,
    best_similarities,
    fit_prototypes,
    logits,
    place,
    project,
    prototype_loss,
    similarity_maps,
    strongest,
)
from tests.conftest import user_error
from tests.protopnet.tiny import LABELS, ROWS, SETTINGS, fitted, network, pictures
from twincam.files.errors import UserError


def test_each_loss_step_gives_every_prototype_a_gradient() -> None:
    made = network()
    net = PrototypeNet(made, 2, 16, 3)
    place(net, made, pictures()[0], np.arange(16), LABELS, 0)
    best = torch.from_numpy(pictures()[0][:8]).float().permute(0, 3, 1, 2) / 128 - 1
    similar = net.similarities(net.trunk(best))
    prototype_loss(net, net.vectors, similar, torch.from_numpy(LABELS[:8]), SETTINGS).backward()
    assert net.vectors.grad is not None
    assert (net.vectors.grad.norm(dim=1) > 1e-6).all()


def test_prototypes_are_patches_of_distinct_images_of_their_own_class() -> None:
    rows, y, x = fitted().source.T
    assert len(np.unique(rows)) == 6
    assert LABELS[rows].tolist() == fitted().net.owner.tolist()
    made = network()
    made.blocks[2].load_state_dict(fitted().net.trunk[2].state_dict())
    pixels = (torch.from_numpy(pictures()[0][rows]).float().permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.no_grad():
        patches = fitted().net.patches(fitted().net.trunk(pixels))
    for prototype, vector in enumerate(fitted().net.vectors):
        assert torch.allclose(patches[prototype, :, y[prototype], x[prototype]], vector, atol=1e-5)


def test_it_learns_what_a_patch_tells() -> None:
    assert (fitted().refitted.argmax(axis=1) == LABELS).mean() >= 0.9


def test_without_a_joint_phase_the_trunk_stays() -> None:
    made = network()
    before = copy.deepcopy(made.blocks[2].state_dict())
    settings = SETTINGS.model_copy(update={"joint_epochs": 0})
    fit_prototypes(made, pictures()[0], ROWS, LABELS, ROWS, settings, 0)
    after = made.blocks[2].state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_two_fits_are_the_same_bits() -> None:
    again = fit_prototypes(network(), pictures()[0], ROWS, LABELS, ROWS, SETTINGS, 0)
    assert np.array_equal(again.source, fitted().source)
    for name, tensor in fitted().net.state_dict().items():
        assert torch.equal(tensor, again.net.state_dict()[name]), name


def test_logits_are_points_times_similarity_summed_by_class() -> None:
    best = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    points, bias = fitted().net.points.numpy(), fitted().net.bias.numpy()
    by_hand = np.stack(
        [(best[:, :3] * points[:3]).sum(1), (best[:, 3:] * points[3:]).sum(1)], axis=1
    )
    assert logits(fitted().net, best) == pytest.approx(by_hand + bias, rel=1e-5)
    assert best_similarities(fitted().net, network(), pictures()[0], np.arange(3)).max() <= 1 + 1e-5


def test_the_strongest_patch_is_the_best_cosine_and_its_cell() -> None:
    images, rows = pictures()[0], np.array([3, 5])
    found = strongest(fitted().net, network(), images, rows)
    (maps,) = similarity_maps(fitted().net, network(), images, rows)
    assert np.array_equal(found.similarity, maps.max(axis=(2, 3)))
    for image, prototype in np.ndindex(*found.similarity.shape):
        y, x = found.cells[image, prototype]
        assert maps[image, prototype, y, x] == found.similarity[image, prototype]


def test_where_the_nearest_patch_is_of_another_class_projection_stays_in_its_own() -> None:
    made, images = network(), pictures()[0]
    net = PrototypeNet(made, 2, 16, 3)
    place(net, made, images, ROWS, LABELS, 0)
    net.vectors.data = net.vectors.data.roll(3, dims=0)
    best = best_similarities(net, made, images, ROWS)
    owner = net.owner.numpy()
    assert (LABELS[best.argmax(axis=0)] != owner).any(), "the nearest patch does not cross"
    source = project(net, made, images, ROWS, LABELS)
    assert LABELS[source[:, 0]].tolist() == owner.tolist()


def test_where_one_patch_is_nearest_to_all_projection_takes_distinct_images() -> None:
    made, images = network(), pictures()[0]
    net = PrototypeNet(made, 2, 16, 3)
    place(net, made, images, ROWS, LABELS, 0)
    net.vectors.data[:] = net.vectors.data[net.owner * 3]
    best = best_similarities(net, made, images, ROWS)
    assert len(set(best.argmax(axis=0))) <= 2, "the nearest patch is not the same"
    source = project(net, made, images, ROWS, LABELS)
    assert len(set(source[:, 0])) == 6
    vectors = net.vectors.detach()
    assert len(torch.unique(vectors, dim=0)) == 6


def test_three_classes_of_unequal_size_are_all_learnt() -> None:
    images, labels = pictures()[0].copy(), LABELS.copy()
    labels[[0, 2, 4, 6]] = 2
    images[labels == 2, 8:56, 8:56] = [255, 0, 0]
    rows = ROWS[1:]
    assert np.bincount(labels[rows]).tolist() == [4, 8, 3]
    made = network(("a", "b", "c"))
    found = fit_prototypes(made, images, rows, labels[rows], ROWS, SETTINGS, 0)
    assert labels[found.source[:, 0]].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert found.refitted.shape == (16, 3)
    right = found.refitted.argmax(axis=1) == labels
    assert [right[labels == k].mean() > 0.7 for k in range(3)] == [True] * 3


def test_projection_takes_the_best_sum_over_distinct_images_within_the_class() -> None:
    best = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.1], [0.99, 0.99, 0.3], [0.1, 0.1, 0.2]])
    owner, labels = np.array([0, 0, 1]), np.array([0, 0, 1, 1])
    assert assign_images(best, owner, labels).tolist() == [0, 1, 2]


def test_a_class_with_fewer_images_than_prototypes_is_named() -> None:
    require_images(np.array([0, 1, 1, 0]), ["cat", "dog"], 2)
    with pytest.raises(UserError, match=r"prototypes_per_class is 2, but cat has only 1"):
        require_images(np.array([0, 1, 1, 1]), ["cat", "dog"], 2)


def test_what_prototypes_start_from_is_least_like_other_classes_and_enough() -> None:
    angles = np.linspace(0, 1, 50)
    own = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    others = np.array([[1.0, 0.0]])
    images = own.reshape(50, 1, 1, 2)
    assert np.array_equal(distinctive(images, others, least=1), own[-1:])
    assert np.array_equal(distinctive(images, others, least=10), own[-10:])


def test_patches_around_a_striking_place_do_not_crowd_out_the_second() -> None:
    angles = np.zeros((1, 9, 9))
    angles[0, 1:4, 1:4] = 1.2
    angles[0, 2, 2] = 1.4
    angles[0, 7, 7] = 0.8
    own = np.stack([np.cos(angles), np.sin(angles)], axis=3)
    found = distinctive(own, np.array([[1.0, 0.0]]), least=1, share=0.01)
    assert found == pytest.approx(np.array([own[0, 2, 2]]))
    found = distinctive(own, np.array([[1.0, 0.0]]), least=2, share=0.01)
    assert found == pytest.approx(np.array([own[0, 2, 2], own[0, 7, 7]]))


def test_of_many_images_a_start_looks_at_as_many_of_each_class() -> None:
    labels = np.array([0, 1, 1, 1] * MAX_IMAGES)
    chosen = sample_images(labels, 0)
    assert np.bincount(labels[chosen]).tolist() == [MAX_IMAGES // 2] * 2
    assert np.array_equal(sample_images(labels[:40], 0), np.arange(40))
    assert not np.array_equal(sample_images(labels, 1), chosen)


def test_batches_are_balanced_and_show_every_image() -> None:
    labels = np.array([0] * 30 + [1] * 10 + [2] * 3)
    batches = list(balanced_batches(labels, 9, np.random.default_rng(0)))
    assert all(np.bincount(labels[batch], minlength=3).tolist() == [3, 3, 3] for batch in batches)
    assert set(np.concatenate(batches)) == set(range(43))


def test_whitening_centres_and_levels() -> None:
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(5000, 6)) @ rng.normal(size=(6, 6)) + 5
    weight, bias = whitening(patches, 4)
    white = patches @ weight.T + bias
    assert white.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-3)
    covariance = np.cov(white, rowvar=False)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-3
    assert np.diag(covariance).max() <= 1


def data(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    best = rng.normal(0.3, 0.1, (n, 4))
    best[:, 0] += 0.1 * (labels == 0)
    best[:, 2] += 0.15 * (labels == 1)
    return best, np.array([0, 0, 1, 1]), labels


def test_refit_without_penalty_is_logistic_regression_where_signs_allow() -> None:
    best, owner, labels = data()
    points, bias = refit(best[:, [0, 2]], owner[[0, 2]], labels, 2, 0.0, 0.0)
    weights = np.where(labels == 0, 1 / (labels == 0).sum(), 1 / (labels == 1).sum())
    reference = LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000)
    reference.fit(best[:, [0, 2]], labels, sample_weight=weights * len(labels))
    assert [-points[0], points[1]] == pytest.approx(reference.coef_[0], rel=1e-2)
    assert bias[1] - bias[0] == pytest.approx(reference.intercept_[0], rel=1e-2)


def test_refit_points_are_never_negative_and_the_penalty_empties_them() -> None:
    best, owner, labels = data()
    live = []
    for l1 in (0.0, 0.01, 0.1, 10.0):
        points, _ = refit(best, owner, labels, 2, l1, 0.0)
        assert (points >= 0).all()
        live.append(int((points > 0).sum()))
    assert live == sorted(live, reverse=True)
    assert live[-1] == 0
    assert refit(best, owner, labels, 2, 0.02, 0.0)[0][[0, 2]].min() > 0


def test_the_ridge_shares_points_among_prototypes_that_say_the_same() -> None:
    best, owner, labels = data()
    twice = best[:, [0, 0, 2, 2]] + np.random.default_rng(1).normal(0, 1e-3, (len(best), 4))
    points, _ = refit(twice, owner, labels, 2, 0.0, 1.0)
    assert points.min() > 0.9 * points.max()


def test_the_overlap_term_keeps_prototypes_of_a_class_from_one_place() -> None:
    def coincidence(overlap: float) -> float:
        settings = SETTINGS.model_copy(update={"overlap": overlap})
        images, made = pictures()[0], network()
        cells = fit_prototypes(made, images, ROWS, LABELS, ROWS, settings, 0).seen.cells
        own = np.stack([cells[k == LABELS][:, 3 * k : 3 * k + 3] for k in (0, 1)])
        apart = abs(own[:, :, :, None] - own[:, :, None]).max(axis=-1)
        return float((apart[:, :, *np.triu_indices(3, 1)] <= 1).mean())

    assert coincidence(8.0) < 0.7 * coincidence(0.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"learning_rate": 1e30},
            ["of warm-up: the weights (vectors)", "protopnet.learning_rate (1e+30)"],
        ),
        (
            {"joint_learning_rate": 1e30, "warmup_epochs": 0, "joint_epochs": 2},
            ["of joint: the loss is nan", "protopnet.joint_learning_rate (1e+30)"],
        ),
    ],
)
def test_training_that_diverges_ends_with_phase_and_what_to_lower(
    changes: dict[str, float], words: list[str]
) -> None:
    wild = SETTINGS.model_copy(update=changes)
    arguments = (network(), pictures()[0], ROWS, LABELS, ROWS, wild, 0)
    message = user_error(lambda: fit_prototypes(*arguments))
    assert "diverged in epoch" in message
    assert all(word in message for word in words), message


def test_a_loss_that_rises_and_stays_finite_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    wild = SETTINGS.model_copy(
        update={"joint_learning_rate": 10.0, "warmup_epochs": 0, "tied_epochs": 0}
    )
    wild = wild.model_copy(update={"joint_epochs": 4})
    fit_prototypes(network(), pictures()[0], ROWS, LABELS, ROWS, wild, 0)
    said = capsys.readouterr().err
    assert "protopnet: the loss of joint rose" in said
    assert "protopnet.joint_learning_rate (10)" in said
    fit_prototypes(network(), pictures()[0], ROWS, LABELS, ROWS, SETTINGS, 0)
    assert "rose" not in capsys.readouterr().err
