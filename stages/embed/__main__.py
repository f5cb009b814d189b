"""Run every image through the classifier once and store the results for later stages."""

from stages.embed.inference import embed
from stages.embed.params import Params
from twincam.files.arrays import write_array
from twincam.files.atomic import atomic_folder
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.params_file import read_params
from twincam.files.tables import EVALUATED_SPLITS, read_split, write_table
from twincam.models.classifier import check_images
from twincam.models.runtimes import Source, opened


def main(argv: list[str]) -> None:
    """Write logits, features, heat maps of the evaluated images, and the classifier's head."""
    args = parse_flags(argv, __doc__, "params", "images", "split", "model", "embeddings")
    params = read_params(args.params, Params)
    split = read_split(args.split)
    source = Source(args.model, args.images, params.run)
    network, images = opened(source)
    check_images(args.model, images)
    explained = split["split"].isin(EVALUATED_SPLITS).to_numpy()
    logits, features, cams = embed(source, explained)
    with atomic_folder(args.embeddings) as folder:
        write_table(folder / "ids.csv", split[["id", "split"]])
        write_array(folder / "logits.npy", logits)
        write_array(folder / "features.npy", features)
        write_array(folder / "cams.npy", cams)
        write_array(folder / "head_weight.npy", network.head.weight.detach().cpu().numpy())
        write_array(folder / "head_bias.npy", network.head.bias.detach().cpu().numpy())


if __name__ == "__main__":
    run_stage(main, "embed")
