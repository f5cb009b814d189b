"""What a scene shows, sampled from the seed and the scene's number alone."""

from dataclasses import dataclass

import numpy as np

from stages.synthesize.coats import COATS, Coat, Colour
from twincam.determinism import generator

POSES = ("sitting", "lying", "standing", "portrait")
BACKDROPS = ("window", "sofa", "garden", "evening", "books", "pastel")
FAMILIES = (
    "mismatched_eye",
    "broken_whiskers",
    "melted_nose",
    "extra_tail",
    "checkerboard",
    "smeared_patch",
)


@dataclass(frozen=True)
class Scene:
    """One cat in one place.

    ``x``, ``y`` is the head's centre, ``unit`` half its width and ``horizon`` the height where the
    floor meets the wall, all as fractions of the frame. ``flip`` and ``lamp`` (the side of the
    light) are 1 or -1; angles are in radians.
    """

    seed: int
    index: int
    family: str
    pose: str
    coat: Coat
    eyes: Colour
    backdrop: str
    x: float
    y: float
    unit: float
    flip: float
    tilt: float
    yaw: float
    pitch: float
    pupil: float
    lid: float
    lamp: float
    horizon: float

    def rng(self, *names: object) -> np.random.Generator:
        """Return the random generator of one named choice within this scene."""
        return generator(self.seed, "synthesize", self.index, *names)


def family_of(seed: int, index: int) -> str:
    """Return the defect family of scene ``index``: every block of scenes has each family once."""
    block, position = divmod(index, len(FAMILIES))
    order = generator(seed, "synthesize", "families", block).permutation(len(FAMILIES))
    return FAMILIES[order[position]]


def sample_scene(seed: int, index: int) -> Scene:
    """Return scene ``index`` of the data set with this ``seed``."""
    rng = generator(seed, "synthesize", index, "scene")
    family = family_of(seed, index)
    shares = (0.32, 0.24, 0.22, 0.22) if family != "extra_tail" else (0.4, 0.3, 0.3, 0.0)
    pose = POSES[rng.choice(len(POSES), p=shares)]
    coat = COATS[rng.integers(len(COATS))]
    x, y, unit, flip = _sample_place(pose, rng)
    return Scene(
        seed=seed,
        index=index,
        family=family,
        pose=pose,
        coat=coat,
        eyes=coat.eyes[rng.integers(len(coat.eyes))],
        backdrop=BACKDROPS[rng.integers(len(BACKDROPS))],
        x=x,
        y=y,
        unit=unit,
        flip=flip,
        tilt=float(np.clip(rng.normal(0, 0.13), -0.32, 0.32)),
        yaw=float(rng.uniform(-0.3, 0.3)),
        pitch=float(rng.uniform(-0.12, 0.14)),
        pupil=float(rng.uniform(0.3, 1.0)),
        lid=float(rng.uniform(0.72, 1.0)),
        lamp=float(rng.choice([-1.0, 1.0])),
        horizon=y - unit * float(rng.uniform(0.2, 0.9)) if pose != "portrait" else y + 1.2 * unit,
    )


def _sample_place(pose: str, rng: np.random.Generator) -> tuple[float, float, float, float]:
    if pose == "portrait":
        unit = rng.uniform(0.18, 0.27)
        x = 0.5 + rng.choice([-1, 1]) * rng.uniform(0.1, 0.27)
        y = rng.uniform(1.25 * unit + 0.05, 0.74)
        return float(x), float(y), float(unit), float(rng.choice([-1.0, 1.0]))
    smallest, largest, height = {
        "sitting": (0.12, 0.165, 3.05),
        "lying": (0.135, 0.185, 1.75),
        "standing": (0.12, 0.155, 2.6),
    }[pose]
    unit = rng.uniform(smallest, largest)
    highest = max(1.5 * unit + 0.02, 0.58 - height * unit)
    y = rng.uniform(highest, max(0.97 - height * unit, highest + 0.01))
    x = 0.5 + rng.choice([-1, 1]) * rng.uniform(0.1, 0.33)
    flip = rng.choice([-1.0, 1.0]) if pose == "sitting" else (1.0 if x < 0.5 else -1.0)
    return float(x), float(y), float(unit), float(flip)
