"""Learn a prototype network from the classifier: this looks like that."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    atomic_folder,
    class_names,
    read_array,
    read_split,
    write_metrics,
    write_table,
)
from stages.common.backbones import device, receptive_field
from stages.common.classifier import read_classifier
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import UserError, run_stage
from stages.common.figures import save_picture
from stages.common.params import read_params
from stages.common.predictions import predictions
from stages.protopnet.model import save_prototype_net
from stages.protopnet.params import Params
from stages.protopnet.quality import (
    broken_guards,
    projection_figures,
    prototype_figures,
    prototype_table,
    split_figures,
)
from stages.protopnet.sheets import draw_sheets
from stages.protopnet.training import fit_prototypes, most_similar


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.protopnet", description=__doc__)
    for flag in ("params", "split", "images", "classifier", "embeddings"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    for flag in ("model", "metrics", "predictions", "prototypes", "sheets"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    split, images = read_split(args.split), read_array(args.images)
    classes = class_names(split)
    labels = split["label"].map(classes.index).to_numpy()
    train = np.flatnonzero(split["split"] == "train")
    watched = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    make_torch_deterministic(params.seed, "protopnet")
    network = read_classifier(args.classifier)
    network.module.to(device())
    last = len(network.blocks) - 1
    if params.protopnet.after_block > last:
        raise UserError(
            f"protopnet.after_block is {params.protopnet.after_block}; allowed: 0 to {last} "
            f"for {network.arch}"
        )
    fitted = fit_prototypes(
        network, images, train, labels[train], watched, params.protopnet, params.seed
    )
    reference = read_array(args.embeddings / "logits.npy")[watched]
    where = split["split"].to_numpy()[watched]
    metrics: dict[str, Any] = {
        "prototypes": prototype_figures(fitted, classes),
        "projection": projection_figures(fitted, labels[watched]),
    }
    for name in np.unique(where):
        own = where == name
        metrics[str(name)] = split_figures(
            labels[watched][own], fitted.refitted[own], reference[own], params.seed
        )
    broken = broken_guards(metrics, fitted.source, classes)
    if broken:
        message = (
            f"the prototype network did not hold: {'; '.join(broken)}; more images, more "
            "protopnet.warmup_epochs or a smaller protopnet.l1 may help, "
            "protopnet.guards=warn lets it pass"
        )
        if params.protopnet.guards == "fail":
            raise UserError(message)
        print(f"protopnet: {message}", file=sys.stderr)
    metrics["guards_broken"] = broken

    field = receptive_field(network.blocks, params.protopnet.after_block)
    table = prototype_table(fitted, split, classes, field)
    save_prototype_net(args.model, fitted.net, network)
    write_table(args.predictions, predictions(split.iloc[watched], fitted.refitted, classes))
    write_table(args.prototypes, table)
    similar = most_similar(fitted.net, network, images, watched)
    with atomic_folder(args.sheets) as folder:
        for number, sheet in enumerate(draw_sheets(table, images, split["label"], similar, field)):
            save_picture(folder / f"{number:03d}.png", sheet)
    write_metrics(args.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "protopnet")
