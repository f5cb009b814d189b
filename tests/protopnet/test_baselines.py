"""k-means prototypes tell patches apart, and leave the classifier alone."""

import numpy as np
import pytest
import torch

from stages.protopnet.baselines import k_means_similarities
from stages.prototypes.last_layer import fit_layer
from tests.protopnet.tiny import LABELS, SETTINGS, examples, network
from tests.prototypes.tiny import LAST_LAYER
from twincam.explanations.prototypes.contributions import layer_logits

FEW = SETTINGS.model_copy(update={"prototypes_per_class": 2, "after_block": 1})


def test_k_means_tells_patches_apart_without_touching_the_classifier() -> None:
    made = network()
    before = {name: tensor.clone() for name, tensor in made.module.state_dict().items()}
    train, evaluated = k_means_similarities(made, examples(np.arange(12)), FEW, 0)
    assert (train.shape, evaluated.shape) == ((12, 4), (16, 4))
    assert evaluated[:12] == pytest.approx(train, abs=1e-5)
    layer = fit_layer(train, np.array([0, 0, 1, 1]), LABELS[:12], LAST_LAYER)
    assert (layer_logits(layer, evaluated).argmax(axis=1) == LABELS).mean() >= 0.9
    after = made.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = k_means_similarities(network(), examples(np.arange(12)), FEW, 0)
    assert np.array_equal(evaluated, again[1])
