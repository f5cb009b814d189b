"""Results come in order, few at a time, with one-line errors, and are the same on both engines."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.embed.inference import embed
from stages.prepare.squares import list_jobs, make_square
from stages.robustness.inference import logits_by_condition
from tests.conftest import user_error
from tests.engine import tasks
from tests.fitted import IMAGES, MODEL, SETTINGS, SPLIT
from twincam.determinism import Run, make_torch_deterministic
from twincam.engine import cluster
from twincam.engine.images import map_images
from twincam.engine.mapping import map_in_order
from twincam.files.arrays import write_array
from twincam.images.params import Prepare
from twincam.models.architectures import HALF
from twincam.models.classifier import save_classifier
from twincam.models.network import create
from twincam.models.runtimes import Source, loaded
from twincam.training.params import ClassifierParams
from twincam.training.refits import Refit, RunFiles, held_out_logits, refitted

LOCAL = Run(engine="local", threads=1, runtime="auto")
RAY = LOCAL.model_copy(update={"engine": "ray"})


pytestmark = pytest.mark.usefixtures("ray_here")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("source")
    make_torch_deterministic(0, "test", threads=1)
    save_classifier(folder / "model", create("resnet18", ("a", "b"), HALF), {})
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    write_array(folder / "images" / "0.npy", images)
    return Source(folder / "model", folder / "images", LOCAL)


@pytest.mark.parametrize("run", [LOCAL, RAY])
def test_results_are_in_the_order_of_the_items(run: Run) -> None:
    slow_first = partial(tasks.square_after, 0.3)
    assert list(map_in_order(slow_first, range(12), run, "test")) == [n * n for n in range(12)]
    assert list(map_in_order(slow_first, [], run, "test")) == []
    assert list(map_images(slow_first, range(40), run, "test")) == [n * n for n in range(40)]


def test_few_tasks_are_submitted_before_results_are_taken() -> None:
    items = iter(range(50))
    results = cluster.remote_results(tasks.refuse_odd, (2 * n for n in items), 1, network=False)
    assert [next(results), next(results)] == [0, 2]
    assert next(items) <= 2 + 2 * cluster.AHEAD


@pytest.mark.parametrize("run", [LOCAL, RAY])
def test_an_error_of_the_user_arrives_as_it_was_raised(run: Run) -> None:
    message = user_error(lambda: list(map_in_order(tasks.refuse_odd, range(3), run, "test")))
    assert message == "item 1 is odd; give an even one"
    with pytest.raises(FileNotFoundError) as caught:
        list(map_in_order(tasks.read, ["nowhere.txt"], run, "test"))
    assert (caught.value.filename, caught.value.errno) == ("nowhere.txt", 2)


def test_a_task_runs_in_the_folder_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note.txt").write_text("here")
    monkeypatch.chdir(tmp_path)
    assert list(map_in_order(tasks.read, ["note.txt"], RAY, "test")) == ["here"]


def test_arrays_arrive_writable_and_leave_the_object_store() -> None:
    (found,) = map_in_order(np.zeros, [300_000], RAY, "test")
    assert found.flags.writeable


def test_a_task_larger_than_every_node_is_refused() -> None:
    large = RAY.model_copy(update={"threads": 3})
    message = user_error(lambda: list(map_in_order(tasks.refuse_odd, [0], large, "test")))
    assert "takes 3 processors" in message
    assert list(map_in_order(tasks.refuse_odd, [0], large, "test", network=False)) == [0]


def test_embeddings_and_corruptions_are_the_same_bytes_on_ray(source: Source) -> None:
    on_ray = source._replace(run=RAY)
    explained = np.arange(70) % 3 == 0
    rows, ids = np.arange(60, 20, -1), np.arange(40).astype(str)
    for one, other in (
        (embed(source, explained), embed(on_ray, explained)),
        (logits_by_condition(source, rows, ids, 0), logits_by_condition(on_ray, rows, ids, 0)),
    ):
        for here, there in zip(one, other, strict=True):
            assert here.dtype == there.dtype
            assert here.tobytes() == there.tobytes()


def test_images_are_prepared_to_the_same_bytes_on_ray(tmp_path: Path) -> None:
    jobs = list_jobs(pd.DataFrame(tasks.photographs(tmp_path, 20)), tmp_path / "none")
    square = partial(make_square, tmp_path, Prepare(image_size=32, harmonise=True, jpeg_quality=85))
    here, there = (list(map_images(square, jobs, run, "test")) for run in (LOCAL, RAY))
    assert [one.image.tobytes() for one in here] == [one.image.tobytes() for one in there]


def test_refits_are_the_same_bytes_on_ray(tmp_path: Path) -> None:
    write_array(tmp_path / "images" / "0.npy", IMAGES)
    files = RunFiles(tmp_path / "images", tmp_path / "none", tmp_path / "none", tmp_path)
    plan = [Refit(np.arange(8), np.arange(8, 12)), Refit(np.arange(4, 12), np.arange(4))]
    settings = SETTINGS.model_copy(update={"epochs": 1, "unfreeze_from": 4, "views": 2})
    found = []
    for run in (LOCAL, RAY):
        params = ClassifierParams(seed=0, run=run, model=MODEL, train=settings)
        with refitted("test", params, SPLIT, plan, held_out_logits, files) as results:
            found.append([one["logits"].tobytes() for one in results])
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


def test_a_process_reads_the_network_once(source: Source) -> None:
    assert loaded(source.model, LOCAL) is loaded(source.model, LOCAL)


def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv(cluster.ADDRESS, "127.0.0.1:1")
    message = user_error(lambda: list(map_in_order(str, [0], RAY, "test")))
    assert "no Ray cluster could be reached at 127.0.0.1:1" in message


def test_without_ray_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    message = user_error(lambda: list(map_in_order(str, [0], RAY, "test")))
    assert "pip install -r requirements-ray.txt" in message
