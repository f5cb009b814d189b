"""Transfer outputs between this clone and a remote, and verify that they arrive intact."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc.output import Output
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotSupported
from dvc_data.hashfile.db import HashFileDB

from twincam.files.errors import UserError

ANSWER = ("models/", "reports/")
"""What is needed to use the models and read the results, without images and embeddings."""


@dataclass(frozen=True)
class Moved:
    """The result of a transfer: counts of objects, bytes, and the reasons of failures by name."""

    moved: int
    already: int
    bytes: int
    failed: Mapping[str, str] = field(default_factory=dict)


def tracked(repo: Repo, prefixes: tuple[str, ...] = ("",)) -> dict[str, str]:
    """Return the hash by path of every cached output below ``prefixes`` in this checkout.

    Outputs imported from another repository, or without a download, are omitted: they are stored
    at their origin.

    Raises:
        UserError: a stage has not run, so its outputs have no hash.
    """
    outs = {
        path: out.hash_info
        for path, out in outputs_of(repo).items()
        if out.use_cache
        and not (out.stage.is_repo_import or out.stage.is_partial_import)
        and path.startswith(prefixes)
    }
    if unknown := [path for path, hash_info in outs.items() if not hash_info]:
        raise UserError(f"dvc.lock has no hash for {listed(unknown)}; run `make repro` first")
    return {path: hash_info.value for path, hash_info in outs.items()}


def outputs_of(repo: Repo) -> dict[str, Output]:
    """Return every output in the project, own data included, by its path from the project's root.

    DVC's path of an output is relative to the file that declares it: ``cats`` in ``data/cats.dvc``.
    """
    return {
        Path(out.fs_path).relative_to(repo.root_dir).as_posix(): out
        for out in repo.index.outs
        if out.is_in_repo
    }


def objects(cache: HashFileDB, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return path by hash of all files of ``outputs``; listings of folders must be in ``cache``."""
    found = {}
    for path, oid in outputs.items():
        found[oid] = path
        if oid.endswith(".dir"):
            for entry in json.loads(Path(cache.oid_to_path(oid)).read_text()):
                found[entry["md5"]] = f"{path}/{entry['relpath']}"
    return found


def is_complete(cache: HashFileDB, outputs: Mapping[str, str]) -> bool:
    """Return whether ``cache`` holds every file of ``outputs`` (hash by path)."""
    folders = [oid for oid in outputs.values() if oid.endswith(".dir")]
    return not missing_from(cache, folders) and not missing_from(cache, objects(cache, outputs))


def missing_from(store: HashFileDB, oids: Iterable[str]) -> set[str]:
    """Return those of ``oids`` that ``store`` lacks, by querying the store itself, not an index.

    In a local store, DVC's bulk query would silently delete corrupted objects.
    """
    wanted = set(oids)
    if store.fs.protocol == "local":
        return {oid for oid in wanted if not store.exists(oid)}
    return wanted - set(store.oids_exist(list(wanted)))


def is_intact(cache: HashFileDB, oid: str) -> bool:
    """Return whether the cached file's MD5 is its name."""
    with Path(cache.oid_to_path(oid)).open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == oid.removesuffix(".dir")


def fetch(remote: HashFileDB, cache: HashFileDB, paths: Mapping[str, str]) -> Moved:
    """Download the objects of ``paths`` (path by hash) from ``remote`` to ``cache``, and verify.

    A corrupted object is removed from the cache again.
    """
    lacking = missing_from(cache, paths)
    failed = {paths[oid]: "missing" for oid in missing_from(remote, lacking)}
    coming = sorted(oid for oid in lacking if paths[oid] not in failed)
    errors = copy_objects(remote, cache, coming)
    arrived = []
    for oid in coming:
        place = Path(cache.oid_to_path(oid))
        if place.is_file() and not is_intact(cache, oid):
            place.chmod(0o644)
            place.unlink()
        if place.is_file():
            arrived.append(place)
        else:
            failed[paths[oid]] = errors.get(oid, "corrupted")
    size = sum(place.stat().st_size for place in arrived)
    return Moved(len(arrived), len(paths) - len(lacking), size, failed)


def fetch_outputs(remote: HashFileDB, cache: HashFileDB, outputs: Mapping[str, str]) -> Moved:
    """Download ``outputs`` (hash by path): first the listings of folders, then all files."""
    folders = {oid: path for path, oid in outputs.items() if oid.endswith(".dir")}
    lists = fetch(remote, cache, folders)
    if lists.failed:
        return lists
    files = fetch(remote, cache, objects(cache, outputs))
    return Moved(
        lists.moved + files.moved,
        files.already - lists.moved,
        lists.bytes + files.bytes,
        files.failed,
    )


def upload(cache: HashFileDB, remote: HashFileDB, paths: Mapping[str, str]) -> Moved:
    """Upload the objects of ``paths`` (path by hash) from ``cache`` to ``remote``, folders last.

    A folder's listing on the remote implies its files, so it is uploaded after all of them.
    """
    lacking = missing_from(remote, paths)
    here = lacking - missing_from(cache, lacking)
    failed = {paths[oid]: "neither here nor on the remote" for oid in lacking - here}
    broken = {oid for oid in here if not is_intact(cache, oid)}
    failed |= {paths[oid]: "corrupted in the cache of this clone" for oid in broken}
    going = sorted(here - broken)
    for folders in (False, True):
        if not (folders and failed):
            batch = [oid for oid in going if oid.endswith(".dir") == folders]
            errors = copy_objects(cache, remote, batch)
            failed |= {
                paths[oid]: errors.get(oid, "not accepted") for oid in missing_from(remote, batch)
            }
    sent = [oid for oid in going if paths[oid] not in failed]
    size = sum(Path(cache.oid_to_path(oid)).stat().st_size for oid in sent)
    return Moved(len(sent), len(paths) - len(lacking), size, failed)


def copy_objects(source: HashFileDB, target: HashFileDB, oids: list[str]) -> dict[str, str]:
    """Copy objects; return the errors of those that failed, by hash."""
    errors: dict[str, str] = {}

    def note(oid: str, error: BaseException) -> None:
        errors[oid] = (str(error) or repr(error)).splitlines()[0]

    if oids:
        target.add([source.oid_to_path(oid) for oid in oids], source.fs, oids, on_error=note)
    return errors


def run_cache(repo: Repo, remote: str | None, *, push: bool) -> str:
    """Transfer DVC's run cache; return a message on it."""
    try:
        done = repo.stage_cache.push(remote) if push else repo.stage_cache.pull(remote)
    except RunCacheNotSupported:
        return "run cache: this remote cannot hold one"
    return f"run cache: {len(done)} entries"


def listed(names: Iterable[str], shown: int = 5) -> str:
    """Return the first ``shown`` names as text, and the number of the others."""
    names = sorted(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def reasons(failed: Mapping[str, str], shown: int = 3) -> str:
    """Return the failed names as text, grouped by reason; the first ``shown`` reasons."""
    causes = sorted(set(failed.values()))
    more = [f"and {len(causes) - shown} other reasons"] if len(causes) > shown else []
    named = [
        f"{cause}: {listed(path for path, why in failed.items() if why == cause)}"
        for cause in causes[:shown]
    ]
    return "; ".join([*named, *more])


def summary(verb: str, done: Moved, place: str) -> str:
    """Return a line on the result of a transfer."""
    return (
        f"{verb} {done.moved} files, {done.bytes / 1e6:.1f} MB; {done.already} were there ({place})"
    )
