"""Refit the last layer of the trained prototype network, evaluate it, draw its decisions."""

from collections.abc import Sequence

import numpy as np

from stages.prototypes.last_layer import fit_layers
from stages.prototypes.panels import choose_shown, draw_decisions
from stages.prototypes.params import Params
from stages.prototypes.removal import require_removable
from stages.prototypes.run import read_run
from stages.prototypes.sheets import draw_sheets
from stages.prototypes.summary import all_figures, headlines
from stages.prototypes.table import nearest_of, prototype_table, sources_of
from twincam.determinism import make_torch_deterministic
from twincam.explanations.prototypes.contributions import set_last_layer
from twincam.explanations.prototypes.network_file import read_prototype_net, save_prototype_net
from twincam.figures.drawing import save_picture
from twincam.files.arrays import read_finite
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import UserError, run_stage
from twincam.files.messages import warn, warn_unless_class
from twincam.files.metrics import write_metrics
from twincam.files.params_file import read_params
from twincam.files.predictions import predictions
from twincam.files.shards import read_shards
from twincam.files.tables import write_table
from twincam.models.classifier import require_side
from twincam.models.network import device


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "split", "images", "masks", "marks", "parts", "embeddings"),
        *("trained", "measurements", "model", "predictions", "prototypes"),
        *("metrics", "details", "figures"),
    )
    params = read_params(args.params, Params)
    settings, seed = params.prototypes, params.seed
    make_torch_deterministic(seed, "prototypes", threads=params.run.threads)
    trained = read_prototype_net(args.trained)
    net = trained.net.to(device())
    require_side(args.trained, trained.preprocessing, read_shards(args.images))
    run = read_run(args.split, args.images, args.masks, args.marks, args.parts, args.measurements)
    warn_unless_class("prototypes", params.real_class, run.classes)
    require_removable(settings.remove, len(net.owner))
    classifier = read_finite(args.embeddings / "logits.npy")[run.evaluated]

    fits = fit_layers(run, net.owner.cpu().numpy(), settings)
    details = all_figures(run, fits, net, classifier, params)
    report_collapse(details["guards_broken"], settings.on_collapse)
    nearest, reasons = nearest_of(run), {one.id: one.reason for one in settings.remove}
    table = prototype_table(run, fits.kept.layer, net.field, nearest, reasons)
    labels, predicted = run.evaluated_labels, fits.kept.logits.argmax(axis=1)
    wrong, correct = choose_shown(labels, predicted, settings.decisions, seed)
    ids = run.evaluated_split["id"]
    details["decisions"] = {"wrong": ids[wrong].tolist(), "correct": ids[correct].tolist()}

    set_last_layer(net, fits.kept.layer)
    save_prototype_net(args.model, net, trained.preprocessing, sources_of(table))
    write_table(args.predictions, predictions(run.evaluated_split, fits.kept.logits, run.classes))
    write_table(args.prototypes, table)
    shown = np.concatenate([wrong, correct])
    with atomic_folder(args.figures) as folder:
        for number, sheet in enumerate(draw_sheets(table, run, nearest, net.field)):
            save_picture(folder / "sheets" / f"{number:03d}.png", sheet)
        panels = draw_decisions(run, fits.kept, table, net.field, shown)
        for name, panel in zip(ids[shown], panels, strict=True):
            save_picture(folder / "decisions" / f"{name}.png", panel)
    write_metrics(args.details, details)
    write_metrics(args.metrics, headlines(details))


def report_collapse(broken: Sequence[str], on_collapse: str) -> None:
    """Report broken guards on standard error, if any.

    Raises:
        UserError: one is broken and ``on_collapse`` is ``fail``.
    """
    if not broken:
        return
    message = (
        f"the prototype network collapsed: {'; '.join(broken)}; use more "
        "images, raise protopnet.warmup_epochs or lower prototypes.l1"
    )
    if on_collapse == "fail":
        raise UserError(f"{message}; to continue anyway, set prototypes.on_collapse=warn")
    warn("prototypes", message)


if __name__ == "__main__":
    run_stage(main, "prototypes")
