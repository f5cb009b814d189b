"""The packed graph of a classifier gives what the classifier gives, at every level."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import torch

from tests.fitted import IMAGES, network
from twincam.explainer.inference import Networks, embed_deliveries
from twincam.explainer.pack import Head, Pack
from twincam.models.forward import embed_batch, to_inputs
from twincam.models.network import maps_of, with_head
from twincam.models.runtimes import onnx_graph
from twincam.models.sessions import open_session


def test_maps_features_and_logits_are_the_classifiers() -> None:
    made = with_head(network(), None, 3)
    made.module.eval()
    expected = embed_batch(made, IMAGES[:2])
    session = open_session(onnx_graph(maps_of(made), torch.zeros(1, 3, 64, 64)), 1, 1)
    head = Head(made.head.weight.detach().numpy(), made.head.bias.detach().numpy())
    found = embed_deliveries(
        Networks(session, session),
        to_inputs(made, IMAGES[:2]).numpy(),
        cast(Pack, SimpleNamespace(head=head)),
    )
    assert [level.shape[-1] for level in found.maps] == [8, 4, 2]
    for ours, theirs in zip(found.maps, expected.maps, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
    np.testing.assert_allclose(found.features, expected.features, atol=1e-4)
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4)
