import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.prepare.__main__ import main
from tests.conftest import user_error
from twincam.files.shards import read_shards
from twincam.files.tables import write_table
from twincam.images.decoding import decode
from twincam.images.harmonising import harmonise

RED, GREY = (255, 0, 0), (90, 90, 90)


class Run:
    """A folder with images and their split.csv, and the stage's outputs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.info = folder, folder / "images", folder / "info"
        self.params, self.split = folder / "params.yaml", folder / "split.csv"
        self.images, self.masks, self.parts, self.marks = (
            folder / f"data/{name}" for name in ("images", "masks", "parts", "marks")
        )
        self.preprocessing = folder / "data/preprocessing.json"

    def __call__(self, **changes: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        block = {"image_size": 64, "harmonise": True, "jpeg_quality": 90, **changes}
        run = {"engine": "local", "threads": 1, "runtime": "auto"}
        self.params.write_text(json.dumps({"run": run, "prepare": block}))
        maps = ("masks", "parts", "marks")
        flags = ("params", "root", "info", "split", "images", *maps, "preprocessing")
        main([part for flag in flags for part in (f"--{flag}", str(getattr(self, flag)))])
        images, masks, parts = map(read_shards, (self.images, self.masks, self.parts))
        return images[:], masks[:], parts[:]

    def written(self) -> dict[Path, bytes]:
        """Return the bytes of each array."""
        return {file: file.read_bytes() for file in (self.folder / "data").rglob("*.npy")}

    def add(self, path: str, picture: Image.Image, **options: object) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file, **options)  # type: ignore[arg-type]

    def list(self) -> None:
        """Write split.csv for the images."""
        rows = []
        for file in sorted(path for path in self.root.rglob("*") if path.is_file()):
            found = decode(file)
            path = file.relative_to(self.root)
            row = {"path": path.as_posix(), "label": path.parts[0], "sha256": found.sha256}
            rows.append({**row, "width": found.width, "height": found.height})
        write_table(self.split, pd.DataFrame(rows))

    def map(self, kind: str, path: str, values: Image.Image, **options: object) -> None:
        file = self.info / kind / path
        file.parent.mkdir(parents=True, exist_ok=True)
        values.save(file, **options)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def noise(seed: int, width: int = 90, height: int = 70) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def with_square(box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    picture = Image.new("RGB", size, GREY)
    picture.paste(RED, box)
    return picture


def extent(inside: np.ndarray) -> tuple[int, ...]:
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


@pytest.mark.parametrize("crop", [True, False])
def test_row_i_is_row_i_of_the_split(run: Run, crop: bool) -> None:
    for n in range(40):
        run.add(f"{n % 2}/{n:02}.png", noise(n))
    run.list()
    images, masks, parts = run(harmonise=crop)
    assert images.shape == (40, 64, 64, 3)
    assert images.dtype == np.uint8
    assert masks.shape == parts.shape == (0, 64, 64)
    for row, path in enumerate(pd.read_csv(run.split)["path"]):
        expected = harmonise(noise(int(path[2:4])), 64, crop, 90)
        assert (images[row] == expected).all()


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("orientation", [1, 6])
def test_masks_are_warped_like_their_images(run: Run, crop: bool, orientation: int) -> None:
    """Maps are drawn on the image as shown: here 150×100 pixels, whatever is stored."""
    shown, box = (150, 100), (50, 30, 90, 60)
    picture = with_square(box, shown)
    stored = picture.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    run.add("a/x.photo.jpg", stored, exif=exif, quality=95, subsampling=0)
    run.add("b/plain.png", noise(1, 150, 100))
    mask = Image.new("L", shown, 127)
    mask.paste(128, box)
    run.map("masks", "a/x.photo.png", mask)
    parts = Image.new("L", shown, 2)
    parts.paste(7, box)
    run.map("parts", "a/x.photo.png", parts)
    run.list()
    images, masks, labels = run(harmonise=crop)
    red = images[0, ..., 0].astype(int) - images[0, ..., 1] > 82
    assert np.abs(np.subtract(extent(red), extent(masks[0] > 0))).max() <= 1
    assert set(np.unique(masks[0])) == {0, 255}
    assert set(np.unique(labels[0])) == {2, 7}
    assert ((labels[0] == 7) == (masks[0] == 255)).all()
    assert not masks[1].any()
    assert not labels[1].any()
    assert masks.shape == labels.shape == (2, 64, 64)


def test_masks_of_any_grey_and_parts_of_a_palette(run: Run) -> None:
    for name in ("bits", "deep", "rgb", "none"):
        run.add(f"train/a/{name}.jpg", noise(0, 64, 64))
    half = np.zeros((64, 64), np.uint8)
    half[:, 32:] = 255
    run.map("masks", "train/a/bits.png", Image.fromarray(half).convert("1"))
    run.map("masks", "train/a/deep.png", Image.fromarray(half.astype(np.uint16) * 257))
    run.map("masks", "train/a/rgb.png", Image.fromarray(half).convert("RGB"))
    labels = Image.fromarray(half // 85, "P")
    labels.putpalette([0, 0, 0] * 3 + [200, 10, 10])
    run.map("parts", "train/a/rgb.png", labels)
    run.list()
    _, masks, parts = run()
    for row in (0, 1, 3):
        assert (masks[row] == half).all()
    assert not masks[2].any()
    assert (parts[3] == half // 85).all()


def test_a_mask_of_another_size(run: Run) -> None:
    run.add("a/x.jpg", noise(0, 90, 70))
    run.map("masks", "a/x.png", Image.new("L", (70, 90)))
    run.list()
    message = user_error(run)
    assert "70×90" in message
    assert "90×70" in message
    assert "masks/a/x.png" in message


def test_wrong_maps(run: Run) -> None:
    run.add("a/x.jpg", noise(0))
    run.map("parts", "a/x.png", noise(0))
    run.list()
    assert "8 bits per pixel, got mode RGB" in user_error(run)
    (run.info / "parts/a/x.png").write_text("no image")
    assert "parts/a/x.png: not a PNG image" in user_error(run)


@pytest.mark.parametrize(
    "name",
    ["images/a/x.png", "x.png", "a/x.jpg", "a/x.bmp", "a/x.tif", "a/X.png", "a/x.PNG", "A/x.png"],
)
def test_maps_that_belong_to_no_image_are_reported(
    run: Run, capsys: pytest.CaptureFixture, name: str
) -> None:
    run.add("a/w.jpg", noise(0))
    run.add("a/x.jpg", noise(0))
    run.map("masks", name, Image.new("L", (90, 70)))
    run.list()
    assert run()[1].shape == (0, 64, 64)
    assert capsys.readouterr().err == (
        f"prepare: no file in {run.info}/masks belongs to an image: {name!r}; "
        "the map of 'a/x.jpg' would be 'a/x.png'\n"
    )


def test_a_single_map_that_belongs_to_no_image_is_reported(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    run.add("a/x.jpg", noise(0))
    run.add("a/y.jpg", noise(1))
    run.map("masks", "a/x.png", Image.new("L", (90, 70), 1))
    run.map("masks", "a/y.jpg", Image.new("L", (90, 70), 1))
    run.list()
    assert run()[1].any(axis=(1, 2)).tolist() == [True, False]
    said = capsys.readouterr().err
    assert f"1 of 2 files in {run.info}/masks belong to no image that is used: 'a/y.jpg'" in said
    assert "the map of 'a/y.jpg' would be 'a/y.png'" in said


def test_a_map_of_an_image_that_is_left_out_gets_no_advice(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    run.add("a/x.jpg", noise(0))
    for name in ("x", "gone"):
        run.map("masks", f"a/{name}.png", Image.new("L", (90, 70), 1))
    run.list()
    run()
    said = capsys.readouterr().err
    assert "belong to no image that is used: 'a/gone.png'" in said
    assert "would be" not in said


def test_empty_masks_are_reported(run: Run, capsys: pytest.CaptureFixture) -> None:
    for name in ("x", "y", "z"):
        run.add(f"a/{name}.jpg", noise(0, 128, 64))
    edge = Image.new("L", (128, 64))
    edge.paste(255, (0, 0, 8, 64))
    run.map("masks", "a/x.png", edge)
    run.map("masks", "a/y.png", Image.new("L", (128, 64), 255))
    run.map("masks", "a/z.png", Image.new("L", (128, 64)))
    run.list()
    run()
    files = ", ".join(repr(str(run.info / f"masks/a/{name}.png")) for name in ("x", "z"))
    assert capsys.readouterr().err == f"prepare: 2 of the masks are empty after cropping: {files}\n"


@pytest.mark.parametrize(
    "name", ["Masks", "mask", "MARK", "ground_truth", "Ground-Truth", "annotations", "GT"]
)
def test_a_folder_of_maps_with_another_name_is_reported(
    run: Run, capsys: pytest.CaptureFixture, name: str
) -> None:
    run.add("a/x.jpg", noise(0))
    run.map(name, "a/x.png", Image.new("L", (90, 70), 1))
    run.list()
    run()
    kind = "marks" if name == "MARK" else "masks"
    assert capsys.readouterr().err == (
        f"prepare: {run.info / name} is not read; rename it to {kind!r}\n"
    )


@pytest.mark.parametrize("name", ["masks", "masks.zip", "Mask.tar.gz"])
def test_a_file_in_place_of_a_folder_of_maps_is_reported(
    run: Run, capsys: pytest.CaptureFixture, name: str
) -> None:
    run.add("a/x.jpg", noise(0))
    run.list()
    run.info.mkdir()
    (run.info / name).write_bytes(b"PK")
    (run.info / "parts.csv").write_text(
        "part"
    )  # a table of names, as the stage synthesize writes it
    (run.info / "masks.dvc").touch()
    run()
    assert capsys.readouterr().err == (
        f"prepare: {run.info / name} is not read: expected a folder of PNG images, got a file; "
        f"put the images into '{run.info}/masks'\n"
    )


@pytest.mark.parametrize(("full", "said"), [(2, True), (1, False)])
def test_masks_that_may_be_inverted_are_reported(
    run: Run, capsys: pytest.CaptureFixture, full: int, said: bool
) -> None:
    for n in range(3):
        run.add(f"a/{n}.jpg", noise(n))
        mask = Image.new("L", (90, 70), 255 if n < full else 0)
        mask.paste(0 if n < full else 255, (35, 25, 55, 45))
        run.map("masks", f"a/{n}.png", mask)
    run.list()
    run()
    line = (
        "prepare: 2 of 3 masks cover more than half of their image; if they are inverted, "
        "save them with 0 outside and 255 inside\n"
    )
    assert capsys.readouterr().err == (line if said else "")


@pytest.mark.parametrize("kind", ["masks", "parts", "marks"])
def test_images_that_would_share_a_map_are_named(run: Run, kind: str) -> None:
    for suffix in ("jpg", "png", "tiff"):
        run.add(f"real/0.{suffix}", noise(0))
    run.list()
    run()
    run.map(kind, "real/0.png", Image.new("L", (90, 70), 1))
    message = user_error(run)
    assert f"{kind}/real/0.png: expected one image of this name" in message
    assert "got 'real/0.jpg' and 'real/0.png'" in message


def test_an_image_that_changed_or_vanished_leaves_the_old_outputs(run: Run) -> None:
    for n in range(20):
        run.add(f"a/{n:02}.png", noise(n))
    run.list()
    run()
    before = run.written()
    run.add("a/17.png", noise(99))
    assert "a/17.png: changed since the stage split ran (different content)" in user_error(run)
    (run.root / "a/17.png").unlink()
    assert "a/17.png: changed since the stage split ran (not found)" in user_error(run)
    assert run.written() == before
    assert sorted(path.name for path in run.images.parent.iterdir()) == [
        "images",
        "marks",
        "masks",
        "parts",
        "preprocessing.json",
    ]


def test_the_settings_are_recorded(run: Run) -> None:
    run.add("a/x.png", noise(0))
    run.list()
    run(harmonise=False)
    found = json.loads(run.preprocessing.read_text())
    assert found == {"image_size": 64, "harmonise": False, "jpeg_quality": 90}


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_the_old_outputs(
    run: Run, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    for n in range(20):
        run.add(f"a/{n:02}.png", noise(n))
    run.list()
    run()
    before = run.written()
    calls = []

    def failing(*arguments: object) -> np.ndarray:
        calls.append(arguments)
        if len(calls) > 10:
            raise failure
        return np.zeros((64, 64, 3), np.uint8)

    monkeypatch.setattr("twincam.images.reading.harmonise", failing)
    with pytest.raises(failure):
        run()
    assert run.written() == before
    assert not list(run.images.parent.glob(".*"))


def test_twice_the_same_bytes_whatever_the_threads(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20):
        run.add(f"a/{n:02}.jpg", noise(n, 400, 300))
        run.map("masks", f"a/{n:02}.png", noise(n, 400, 300).convert("L"))
    run.list()
    run()
    before = run.written()
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    run()
    assert run.written() == before


def test_large_jpegs_are_drafted_to_at_least_twice_the_size(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.add("a/x.jpg", noise(0, 1200, 800), quality=95)
    run.list()
    seen = []

    def noting(image: Image.Image, *rest: int) -> np.ndarray:
        seen.append(image.size)
        return harmonise(image, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("twincam.images.reading.harmonise", noting)
    images, _, _ = run()
    assert seen == [(300, 200)]
    full = harmonise(decode(run.root / "a/x.jpg").image, 64, True, 90)
    assert np.abs(images[0].astype(int) - full).mean() < 1.5


@pytest.mark.parametrize(
    "changes",
    [{"image_size": 31}, {"image_size": 1025}, {"jpeg_quality": 0}, {"jpeg_quality": 101}],
)
def test_impossible_parameters(run: Run, changes: dict[str, int]) -> None:
    assert f"prepare.{next(iter(changes))}" in user_error(run, **changes)
