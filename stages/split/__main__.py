"""List the images, check them, group duplicates and assign each group a split."""

from functools import partial

import numpy as np

from stages.split.assignment import check_covered, divide
from stages.split.contents import check_bad, check_classes, missing_from_test, read_contents
from stages.split.groups import dominant_groups, label_conflicts
from stages.split.listing import find_files
from stages.split.manifest import (
    attributes,
    count_unmatched,
    ignored_parts,
    read_manifest,
    with_image_paths,
    with_metadata,
)
from stages.split.names import lookalikes
from stages.split.params import Params
from stages.split.reviews import apply_reviews
from stages.split.sources import single_source_sentences, with_sources
from stages.split.summary import headlines, summarise
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.folders import listed, require_no_links
from twincam.files.messages import warn
from twincam.files.metrics import write_metrics
from twincam.files.params import holds_settings, require_settings
from twincam.files.params_file import read_params
from twincam.files.reviews import read_reviews
from twincam.files.tables import write_table
from twincam.near_duplicates.files import near_duplicate_files
from twincam.near_duplicates.hashes import hash_text

COLUMNS = ["id", "path", "label", "split", "group", "source", "family"]
COLUMNS += ["sha256", "phash", "width", "height", "format", "bytes"]

log = partial(warn, "split")


def main(argv: list[str]) -> None:
    """Run the stage."""
    flags = parse_flags(
        argv,
        __doc__,
        *("params", "root", "info"),
        *("split", "attributes", "metrics", "details"),
    )
    params = read_params(flags.params, Params)
    if holds_settings(made_with := flags.info / "rendered_with.json", params.synthesize):
        require_settings(made_with, params.synthesize, "synthesize")
    require_no_links(flags.info)
    files, stray_files, splits = find_files(flags.root, params.data.layout)
    given = splits != [""]
    manifest = read_manifest(flags.info)
    if stray_files:
        log(f"ignored files beside the class folders of {flags.root}: {listed(stray_files, 1)}")
    log(*ignored_parts(manifest, flags.info, flags.root))

    images, bad, sidecars = read_contents(flags.root, files, params.data.max_pixels, params.run)
    if sidecars:
        log(f"ignored captions, notes and other sidecar files: {listed(sidecars, 1)}")
    log(*(f"skipped {file['path']}: {file['reason']}" for file in bad))
    labels = sorted({file.label for file in files})
    log(*lookalikes(labels))
    total = len(files) - len(sidecars)
    check_bad(bad, total, params.data.max_bad_fraction)
    check_classes(images, files, sidecars)
    manifest = with_image_paths(manifest, images["path"].tolist(), "manifest.csv")
    if unmatched := count_unmatched(manifest, images):
        log(f"rows of manifest.csv that name no usable image: {unmatched} of {len(manifest)}")

    images = with_sources(with_metadata(images, manifest), params.data.source_pattern)
    classes = {file.path: file.label for file in files}
    images, reviewed = apply_reviews(images, read_reviews(flags.info), classes)
    log(*(f"{review['mark']} {review['path']}: {review['done']}" for review in reviewed))
    conflicts = label_conflicts(images[~images["left_out"]])
    log(*(f"same content, different labels: {', '.join(c['paths'])}" for c in conflicts))
    near = near_duplicate_files(
        [flags.root / path for path in images["path"]],
        images["phash"].to_numpy(np.uint64),
        params.split.near_duplicate_distance,
    )
    left_out = int(images["left_out"].sum())
    images, leaks = divide(images, given, params.split, near)
    log(*(f"dropped {leak['path']}, {leak['kind']} leak of {leak['copy_of']}" for leak in leaks))
    wanted = ["train", "val"] + ["test"] * (not given and params.split.test_fraction > 0)
    check_covered(images, labels, wanted, given)
    log(*missing_from_test(images, labels, splits))
    log(*dominant_groups(images, near))
    one_sided = single_source_sentences(images)
    log(*(f"{sentence} Add images of another source." for sentence in one_sided))

    details = {
        "images": {
            "total": total,
            "used": len(images),
            "bad": len(bad),
            "dropped": len(leaks),
            "left_out": left_out,
        },
        "bad": bad,
        "dropped": leaks,
        "label_conflicts": conflicts,
        "reviewed": reviewed,
        "predefined_split": given,
        "sentences": one_sided,
        **summarise(images, near),
    }
    write_table(flags.split, images.assign(phash=hash_text(images["phash"]))[COLUMNS])
    write_table(flags.attributes, attributes(images, manifest))
    write_metrics(flags.details, details)
    write_metrics(flags.metrics, headlines(details))


if __name__ == "__main__":
    run_stage(main, "split")
