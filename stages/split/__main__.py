"""List, check, group and divide the images."""

from functools import partial

from stages.params import read_params
from stages.split.assignment import check_covered, divide
from stages.split.contents import check_bad, check_classes, gaps_of_test, read_contents
from stages.split.groups import dominant_groups, label_conflicts, near_pairs_of
from stages.split.listing import find_files
from stages.split.manifest import attributes, matched, read_manifest, unmatched, unread, with_facts
from stages.split.names import look_alikes
from stages.split.params import Params
from stages.split.sources import with_sources
from stages.split.summary import headlines, summarise
from twincam.files.command_line import parse_flags
from twincam.files.errors import run_stage
from twincam.files.folders import listed, require_no_links
from twincam.files.messages import warn
from twincam.files.metrics import write_metrics
from twincam.files.params import holds_settings, require_settings
from twincam.files.tables import write_table
from twincam.near_duplicates.hashes import hash_text

COLUMNS = ["id", "path", "label", "split", "group", "source", "family"]
COLUMNS += ["sha256", "phash", "width", "height", "format", "bytes"]

say = partial(warn, "split")


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
    entries, loose, splits = find_files(flags.root, params.data.layout)
    given = splits != [""]
    manifest = read_manifest(flags.info)
    if loose:
        say(f"passed over beside the class folders of {flags.root}: {listed(loose, 1)}")
    say(*unread(manifest, flags.info, flags.root))

    images, bad, sidecars = read_contents(flags.root, entries, params.data.max_pixels)
    if sidecars:
        say(f"passed over as captions, notes or the like: {listed(sidecars, 1)}")
    say(*(f"left out {file['path']}: {file['reason']}" for file in bad))
    labels = sorted({entry.label for entry in entries})
    say(*look_alikes(labels))
    check_bad(bad, len(entries) - len(sidecars), params.data.max_bad_fraction)
    check_classes(images, entries, sidecars)
    manifest = matched(manifest, images["path"])
    if nameless := unmatched(manifest, images):
        say(f"rows of manifest.csv that name no usable image: {nameless} of {len(manifest)}")

    images = with_sources(with_facts(images, manifest), params.data.source_pattern)
    conflicts = label_conflicts(images)
    say(*(f"same content, different labels: {', '.join(c['paths'])}" for c in conflicts))
    near = near_pairs_of(flags.root, images, params.split.near_duplicate_distance)
    images, leaks = divide(images, given, params.split, near)
    say(*(f"dropped {leak['path']}, {leak['kind']} leak of {leak['because_of']}" for leak in leaks))
    wanted = ["train", "val"] + ["test"] * (not given and params.split.test_fraction > 0)
    check_covered(images, labels, wanted, given)
    say(*gaps_of_test(images, labels, splits))
    say(*dominant_groups(images, near))

    total = len(entries) - len(sidecars)
    counts = {"total": total, "used": len(images), "bad": len(bad), "dropped": len(leaks)}
    details = {
        "images": counts,
        "bad": bad,
        "dropped": leaks,
        "label_conflicts": conflicts,
        "given_split": given,
        **summarise(images, near),
    }
    write_table(flags.split, images.assign(phash=hash_text(images["phash"]))[COLUMNS])
    write_table(flags.attributes, attributes(images, manifest))
    write_metrics(flags.details, details)
    write_metrics(flags.metrics, headlines(details))


if __name__ == "__main__":
    run_stage(main, "split")
