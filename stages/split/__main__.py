"""List, check, group and divide the images."""

import argparse
from functools import partial
from pathlib import Path

from stages.common.artifacts import write_metrics, write_table
from stages.common.errors import run_stage
from stages.common.messages import warn
from stages.common.params import read_params
from stages.split.assignment import check_covered, divide
from stages.split.contents import check_bad, check_classes, read_contents
from stages.split.groups import label_conflicts
from stages.split.listing import find_files, loose_files
from stages.split.manifest import attributes, read_manifest, unmatched, with_facts
from stages.split.params import Params
from stages.split.sources import with_sources
from stages.split.summary import summarise

COLUMNS = ["id", "path", "label", "split", "group", "source", "family"]
COLUMNS += ["sha256", "width", "height", "format", "bytes"]

say = partial(warn, "split")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    flags = argparse.ArgumentParser(prog="python -m stages.split", description=__doc__)
    for flag in ("--params", "--root", "--info", "--split", "--attributes", "--metrics"):
        flags.add_argument(flag, type=Path, required=True)
    return flags


def main(argv: list[str]) -> None:
    """Write ``data/split.csv``, ``data/attributes.csv`` and ``reports/split.json``."""
    flags = parser().parse_args(argv)
    params = read_params(flags.params, Params)
    entries = find_files(flags.root)
    given = bool(entries[0].split)
    manifest = read_manifest(flags.info)
    if loose := loose_files(flags.root):
        say(f"{loose} files lie beside the class folders of {flags.root} and are passed over")

    images, bad = read_contents(flags.root, entries, params.data.max_pixels)
    say(*(f"left out {file['path']}: {file['reason']}" for file in bad))
    labels = sorted({entry.label for entry in entries})
    check_bad(bad, len(entries), params.data.max_bad_fraction)
    check_classes(images, labels)
    if nameless := unmatched(manifest, images):
        say(f"{nameless} of {len(manifest)} rows of manifest.csv name no usable image")

    images = with_sources(with_facts(images, manifest), params.data.source_pattern)
    conflicts = label_conflicts(images)
    say(*(f"same content, different labels: {', '.join(c['paths'])}" for c in conflicts))
    images, leaks = divide(images, given, params.split)
    say(*(f"dropped {leak['path']}, {leak['kind']} leak of {leak['because_of']}" for leak in leaks))
    wanted = ["train", "val"] + ["test"] * (not given and params.split.test_fraction > 0)
    check_covered(images, labels, wanted, given)

    counts = {"total": len(entries), "used": len(images), "bad": len(bad), "dropped": len(leaks)}
    metrics = {
        "images": counts,
        "bad": bad,
        "dropped": leaks,
        "label_conflicts": conflicts,
        "given_split": given,
        **summarise(images, params.split.near_duplicate_distance),
    }
    write_table(flags.split, images[COLUMNS])
    write_table(flags.attributes, attributes(images, manifest))
    write_metrics(flags.metrics, metrics)


if __name__ == "__main__":
    run_stage(main, "split")
