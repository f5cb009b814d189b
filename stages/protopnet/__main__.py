"""Learn a prototype network from the classifier: this looks like that."""

import sys
from collections.abc import Sequence

import numpy as np

from stages.params import read_params
from stages.protopnet.baselines import k_means_logits
from stages.protopnet.decisions import choose_shown
from stages.protopnet.locality import effective_fields
from stages.protopnet.model import save_prototype_net
from stages.protopnet.panels import draw_decisions
from stages.protopnet.params import Params, ProtoPNet
from stages.protopnet.placement import require_images
from stages.protopnet.prototypes import nearest_patches, prototype_table
from stages.protopnet.quality import quality_figures
from stages.protopnet.removal import removal_figures, remove_prototypes, require_removable
from stages.protopnet.scene import Scene, read_scene
from stages.protopnet.sheets import draw_sheets
from stages.protopnet.summary import guard_figures, model_figures
from stages.protopnet.training import fit_prototypes
from twincam.determinism import make_torch_deterministic
from twincam.figures.drawing import save_picture
from twincam.files.arrays import read_finite
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import UserError, run_stage
from twincam.files.messages import warn_unless_class
from twincam.files.metrics import write_metrics
from twincam.files.predictions import predictions
from twincam.files.tables import write_table
from twincam.models.classifier import check_images, read_classifier
from twincam.models.network import device, receptive_field
from twincam.statistics.intervals import median_with_interval


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        "params",
        "split",
        "images",
        "masks",
        "marks",
        "parts",
        "classifier",
        "embeddings",
        "model",
        "metrics",
        "predictions",
        "prototypes",
        "sheets",
        "decisions",
    )
    params = read_params(args.params, Params)
    settings, seed = params.protopnet, params.seed
    scene = read_scene(args.split, args.images, args.masks, args.marks, args.parts)
    warn_unless_class("protopnet", params.real_class, scene.classes)
    make_torch_deterministic(seed, "protopnet", threads=params.run.threads)
    network = read_classifier(args.classifier)
    check_images(args.classifier, scene.images)
    network.module.to(device())
    require_fitting(settings, scene)
    known = scene.labels[scene.train]
    data = network, scene.images, scene.train, known, scene.watched, settings, seed
    k_means = k_means_logits(*data)
    full = fit_prototypes(*data)
    reasons = {removal.id: removal.reason for removal in settings.remove}
    fitted = remove_prototypes(full, known, list(reasons), settings) if reasons else full

    metrics = guard_figures(scene, full, fitted, params)
    say_broken(metrics["guards_broken"], settings)
    classifier = read_finite(args.embeddings / "logits.npy")[scene.watched]
    metrics |= model_figures(scene, full, fitted, classifier, k_means, params)
    if reasons:
        metrics["removed"] = removal_figures(scene, full, fitted, network, params)
    field = receptive_field(network.blocks, settings.after_block)
    fields = effective_fields(fitted.net, network, scene.images, fitted.source, field[1])
    metrics["quality"] = {
        **quality_figures(scene, fitted, network, field[1], seed),
        "locality": {
            "receptive_field": field[0],
            **median_with_interval("effective_field", fields),
        },
    }
    near = [
        nearest_patches(found, rows, fitted.source[:, 0])
        for found, rows in ((fitted.known, scene.train), (fitted.seen, scene.watched))
    ]
    table = prototype_table(scene, fitted, field, fields, near, reasons)
    wrong, correct = choose_shown(
        scene.truth, fitted.refitted.argmax(axis=1), settings.decisions, seed
    )
    watched = scene.split.iloc[scene.watched].reset_index(drop=True)
    metrics["decisions"] = {
        kind: watched["id"][shown].tolist()
        for kind, shown in (("wrong", wrong), ("correct", correct))
    }

    save_prototype_net(args.model, fitted.net, network)
    write_table(args.predictions, predictions(watched, fitted.refitted, scene.classes))
    write_table(args.prototypes, table)
    with atomic_folder(args.sheets) as folder:
        for number, sheet in enumerate(draw_sheets(table, scene, near, field)):
            save_picture(folder / f"{number:03d}.png", sheet)
    shown = np.concatenate([wrong, correct])
    with atomic_folder(args.decisions) as folder:
        panels = draw_decisions(scene, fitted, table, field, shown)
        for name, panel in zip(watched["id"][shown], panels, strict=True):
            save_picture(folder / f"{name}.png", panel)
    write_metrics(args.metrics, metrics)


def require_fitting(settings: ProtoPNet, scene: Scene) -> None:
    """Check that the settings fit the data.

    Raises:
        UserError: as many images as prototypes, or a prototype to remove is not there.
    """
    known = scene.labels[scene.train]
    require_images(known, scene.classes, settings.prototypes_per_class)
    require_removable(settings.remove, len(scene.classes) * settings.prototypes_per_class)


def say_broken(broken: Sequence[str], settings: ProtoPNet) -> None:
    """Say on standard error which guards broke, if any.

    Raises:
        UserError: one did and ``guards`` is ``fail``.
    """
    if not broken:
        return
    message = (
        f"the prototype network did not hold: {'; '.join(broken)}; more images, more "
        "protopnet.warmup_epochs or a smaller protopnet.l1 may help, "
        "protopnet.guards=warn lets it pass"
    )
    if settings.guards == "fail":
        raise UserError(message)
    print(f"protopnet: {message}", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main, "protopnet")
