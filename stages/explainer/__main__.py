"""Pack what explaining one picture needs: networks, training images, figures of the verdict."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from stages.explainer.params import Params
from stages.explainer.training import cells_of, influences_of, thumbnails
from twincam.confidence.verdicts import ConfidenceModel
from twincam.explainer.pack import Head, Pack, PrototypePart, Settings, Training, write_pack
from twincam.explanations.maps import full_colour
from twincam.explanations.prototypes.contributions import last_layer
from twincam.explanations.prototypes.network import PrototypeGraph
from twincam.explanations.prototypes.network_file import read_prototype_net
from twincam.explanations.twins.spaces import SPACES
from twincam.files.arrays import read_array, read_finite
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.messages import warn
from twincam.files.metrics import read_metrics
from twincam.files.params_file import read_params
from twincam.files.tables import class_names, read_split, read_table
from twincam.forensics.detector import read_detector
from twincam.images.harmonising import Square
from twincam.models.classifier import check_images, read_classifier, read_preprocessing
from twincam.models.embedded import Embedded
from twincam.models.network import maps_of
from twincam.models.runtimes import Source, onnx_graph, opened

DEFAULT = "features_cosine"
"""The space of the twins where the run's own is that of another network."""


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "split", "images", "model", "protopnet", "forensics", "embeddings"),
        *("evaluated", "explained", "novelty", "prototypes", "explainer"),
    )
    params = read_params(args.params, Params)
    split = read_split(args.split)
    network, images = opened(Source(args.model, args.images, params.run))
    check_images(args.model, images)
    evaluated, explained = read_metrics(args.evaluated), read_metrics(args.explained)
    settings = Settings(
        classes=network.classes,
        real_class=params.real_class,
        preprocessing=Square(**read_preprocessing(args.model)),
        mean=network.mean,
        std=network.std,
        confidence=ConfidenceModel(**evaluated["confidence"]),
        scope=evaluated["scope"],
        space=space_of(explained["space"]),
        shown=explained["shown"],
        influence=explained.get("influence", {}).get("chosen", ""),
        heat_scale=full_colour(read_array(args.embeddings / "cams.npy")),
    )

    train = np.flatnonzero(split["split"] == "train")
    ids, paths = (split[name].to_numpy()[train].tolist() for name in ("id", "path"))
    labels = split["label"].map(class_names(split).index).to_numpy()[train]
    features = np.array(read_finite(args.embeddings / "features.npy")[train])
    logits = np.array(read_finite(args.embeddings / "logits.npy")[train])
    keep = SPACES[settings.space].compares == "maps"
    scores, maps = cells_of(network, images, train, keep=keep)
    embedded = Embedded(maps, features, logits, network.finer)
    head = (part.detach().cpu().numpy() for part in (network.head.weight, network.head.bias))
    side = settings.preprocessing.image_size
    novelty = read_table(args.novelty)
    distances = novelty.loc[novelty["split"] == "train", "distance"].to_numpy()
    pack = Pack(
        graph=onnx_graph(maps_of(read_classifier(args.model)), torch.zeros(1, 3, side, side)),
        head=Head(*head),
        settings=settings,
        training=Training(ids, paths, labels, embedded, scores, distances),
        prototypes=prototype_part(args.protopnet, read_table(args.prototypes), side),
        detector=read_detector(args.forensics),
        influences=influences_of(settings.influence, features, labels, len(network.classes)),
        thumbnails=thumbnails(ids, images, train),
    )
    write_pack(args.explainer, pack, hashlib.sha256(args.model.read_bytes()).hexdigest())


def space_of(chosen: str) -> str:
    """Return the space of the twins: the run's own, or `DEFAULT` in place of CLIP's."""
    if SPACES[chosen].compares != "clip":
        return chosen
    warn("explainer", f"twins use {DEFAULT} instead of CLIP, which the explainer does not contain")
    return DEFAULT


def prototype_part(path: Path, table: pd.DataFrame, side: int) -> PrototypePart:
    """Return the prototype network at ``path`` for images of ``side`` pixels.

    Args:
        path: of the network.
        table: ``reports/prototypes.csv``.
        side: of the images in pixels.
    """
    net = read_prototype_net(path).net
    columns = ["id", "path", "centre_y", "centre_x", "receptive_field"]
    rows = table.sort_values("prototype")[columns].to_dict("records")
    sources = [{str(name): value for name, value in row.items()} for row in rows]
    graph = onnx_graph(PrototypeGraph(net), torch.zeros(1, 3, side, side))
    return PrototypePart(graph, last_layer(net), net.field, sources)


if __name__ == "__main__":
    run_stage(main, "explainer")
