"""Placement, training and projection of a prototype network on small real tensors."""

import copy

import numpy as np
import pytest
import torch

from stages.protopnet.examples import Examples, require_images
from stages.protopnet.losses import TERMS, prototype_loss
from stages.protopnet.placement import (
    MAX_IMAGES,
    distinctive,
    place,
    sample_images,
    whitening,
)
from stages.protopnet.projection import assign_images, project
from stages.protopnet.training import HISTORY, balanced_batches, fit_prototypes
from stages.prototypes.last_layer import fit_layer
from tests.conftest import user_error
from tests.protopnet.tiny import LABELS, ROWS, SETTINGS, examples, network, pictures, trained
from tests.prototypes.tiny import LAST_LAYER
from twincam.explanations.prototypes.contributions import layer_logits
from twincam.explanations.prototypes.matches import best_similarities
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.errors import UserError


def placed(channels: int = 16, per_class: int = 3) -> PrototypeNet:
    net = PrototypeNet(network(), 2, channels, per_class, 64)
    place(net, examples(), 0)
    return net


def losses(net: PrototypeNet) -> dict[str, torch.Tensor]:
    similar = net(torch.from_numpy(pictures()[0][:8]))
    return prototype_loss(net, net.vectors, similar, torch.from_numpy(LABELS[:8]), SETTINGS)


def test_each_loss_step_gives_every_prototype_a_gradient() -> None:
    net = placed()
    losses(net)["total"].backward()
    assert net.vectors.grad is not None
    assert (net.vectors.grad.norm(dim=1) > 1e-6).all()


def test_the_terms_of_the_loss_add_up_to_it() -> None:
    found = losses(placed())
    assert tuple(found) == (*TERMS, "total")
    assert sum(found[name].item() for name in TERMS) == pytest.approx(found["total"].item())


def test_the_history_has_a_row_an_epoch_and_a_column_a_term() -> None:
    history = trained().history
    assert tuple(history.columns) == HISTORY
    assert history["phase"].tolist() == ["warm-up"] * 3 + ["joint"] + ["tied"] * 2
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["learning_rate"][[0, 3, 4]].tolist() == [3e-3, 1e-4, 1e-4]
    assert history["learning_rate"][2] < history["learning_rate"][1] < 3e-3
    assert history[list(TERMS)].sum(axis=1).tolist() == pytest.approx(history["total"].tolist())
    assert history["total"].iloc[2] < history["total"].iloc[0]
    assert history["accuracy"].between(0.5, 1).all()


def test_prototypes_are_patches_of_distinct_images_of_their_own_class() -> None:
    net = trained().net
    rows, y, x = trained().patches.T
    assert len(np.unique(rows)) == 6
    assert LABELS[rows].tolist() == net.owner.tolist()
    with torch.no_grad():
        patches = net.patches(net.features(torch.from_numpy(pictures()[0][rows])))
    for prototype, vector in enumerate(net.vectors):
        assert torch.allclose(patches[prototype, :, y[prototype], x[prototype]], vector, atol=1e-5)


def test_it_learns_what_a_patch_tells() -> None:
    assert (trained().after.argmax(axis=1) == LABELS).mean() >= 0.9


@pytest.mark.parametrize("epochs", [0, 1])
def test_the_joint_phase_alone_trains_the_last_block_of_the_trunk(epochs: int) -> None:
    made = network()
    before = copy.deepcopy(made.blocks.state_dict())
    settings = SETTINGS.model_copy(update={"joint_epochs": epochs})
    fit_prototypes(made, examples(), settings, 0)
    after = made.blocks.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({str(settings.after_block)} if epochs else set())


def test_two_fits_are_the_same_bits() -> None:
    again = fit_prototypes(network(), examples(), SETTINGS, 0)
    assert np.array_equal(again.patches, trained().patches)
    assert again.history.equals(trained().history)
    for name, tensor in trained().net.state_dict().items():
        assert torch.equal(tensor, again.net.state_dict()[name]), name


def test_where_the_nearest_patch_is_of_another_class_projection_stays_in_its_own() -> None:
    net = placed()
    net.vectors.data = net.vectors.data.roll(3, dims=0)
    best = best_similarities(net, pictures()[0], ROWS)
    owner = net.owner.numpy()
    assert (LABELS[best.argmax(axis=0)] != owner).any(), "the nearest patch does not cross"
    assert LABELS[project(net, examples())[:, 0]].tolist() == owner.tolist()


def test_where_one_patch_is_nearest_to_all_projection_takes_distinct_images() -> None:
    net = placed()
    net.vectors.data[:] = net.vectors.data[net.owner * 3]
    best = best_similarities(net, pictures()[0], ROWS)
    assert len(set(best.argmax(axis=0))) <= 2, "the nearest patch is not the same"
    assert len(set(project(net, examples())[:, 0])) == 6
    assert len(torch.unique(net.vectors.detach(), dim=0)) == 6


def test_three_classes_of_unequal_size_are_all_learnt() -> None:
    images, labels = pictures()[0].copy(), LABELS.copy()
    labels[[0, 2, 4, 6]] = 2
    images[labels == 2, 8:56, 8:56] = [255, 0, 0]
    rows = ROWS[1:]
    assert np.bincount(labels[rows]).tolist() == [4, 8, 3]
    made = network(("a", "b", "c"))
    found = fit_prototypes(made, Examples(images, labels, rows, ROWS), SETTINGS, 0)
    assert labels[found.patches[:, 0]].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    owner = np.repeat([0, 1, 2], 3)
    layer = fit_layer(found.train.similarity, owner, labels[rows], LAST_LAYER)
    right = layer_logits(layer, found.evaluated.similarity).argmax(axis=1) == labels
    assert [right[labels == k].mean() > 0.7 for k in range(3)] == [True] * 3


def test_projection_takes_the_best_sum_over_distinct_images_within_the_class() -> None:
    best = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.1], [0.99, 0.99, 0.3], [0.1, 0.1, 0.2]])
    owner, labels = np.array([0, 0, 1]), np.array([0, 0, 1, 1])
    assert assign_images(best, owner, labels).tolist() == [0, 1, 2]


def test_a_class_with_fewer_images_than_prototypes_is_named() -> None:
    require_images(np.array([0, 1, 1, 0]), ["cat", "dog"], 2)
    with pytest.raises(UserError, match=r"prototypes_per_class is 2, .* has only 1 of class 'cat'"):
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


def test_the_overlap_term_keeps_prototypes_of_a_class_from_one_place() -> None:
    def coincidence(overlap: float) -> float:
        settings = SETTINGS.model_copy(update={"overlap": overlap})
        cells = fit_prototypes(network(), examples(), settings, 0).evaluated.cells
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
    message = user_error(lambda: fit_prototypes(network(), examples(), wild, 0))
    assert "diverged in epoch" in message
    assert all(word in message for word in words), message


def test_a_loss_that_rises_and_stays_finite_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    wild = SETTINGS.model_copy(
        update={"joint_learning_rate": 10.0, "warmup_epochs": 0, "tied_epochs": 0}
    )
    wild = wild.model_copy(update={"joint_epochs": 4})
    fit_prototypes(network(), examples(), wild, 0)
    said = capsys.readouterr().err
    assert "protopnet: the loss of joint rose" in said
    assert "protopnet.joint_learning_rate (10)" in said
    fit_prototypes(network(), examples(), SETTINGS, 0)
    assert "rose" not in capsys.readouterr().err
