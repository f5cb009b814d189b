"""Learn a prototype network from the classifier: this looks like that."""

import numpy as np

from stages.protopnet.baselines import k_means_similarities
from stages.protopnet.examples import Examples, require_images
from stages.protopnet.measuring import measure
from stages.protopnet.params import Params
from stages.protopnet.training import fit_prototypes
from twincam.determinism import make_torch_deterministic
from twincam.explanations.prototypes.measurements import write_measurements
from twincam.explanations.prototypes.network_file import save_prototype_net
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split, write_table
from twincam.models.classifier import check_images, read_classifier, read_preprocessing
from twincam.models.network import device
from twincam.models.runtimes import compiled


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parse_flags(
        argv,
        __doc__,
        *("params", "split", "images", "marks", "parts", "classifier"),
        *("model", "measurements", "history"),
    )
    params = read_params(args.params, Params)
    settings, seed = params.protopnet, params.seed
    split, images = read_split(args.split), read_shards(args.images)
    marks, parts = read_shards(args.marks), read_shards(args.parts)
    classes = class_names(split)
    labels = split["label"].map(classes.index).to_numpy()
    make_torch_deterministic(seed, "protopnet", threads=params.run.threads)
    network = read_classifier(args.classifier)
    check_images(args.classifier, images)
    network.module.to(device())
    network = compiled(network, params.run)
    train = np.flatnonzero(split["split"] == "train")
    evaluated = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
    examples = Examples(images, labels, train, evaluated)
    require_images(examples.train_labels, classes, settings.prototypes_per_class)
    k_means = k_means_similarities(network, examples, settings, seed)
    trained = fit_prototypes(network, examples, settings, seed)
    measurements = measure(trained, k_means, examples, marks, parts, seed)

    save_prototype_net(args.model, trained.net, read_preprocessing(args.classifier))
    with atomic_folder(args.measurements) as folder:
        write_measurements(folder, measurements)
    write_table(args.history, trained.history)


if __name__ == "__main__":
    run_stage(main, "protopnet")
