"""The poses: forms of trunk and legs, tails, and where the cat touches the ground."""

from dataclasses import dataclass

from stages.synthesize.fields import Blob, Point, ball, limb

Curve = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Limb:
    """A furry form: its ``blobs``, the direction ``flow`` and length ``hair`` of its fur, markings.

    ``stripes`` is a vector across the stripes whose length is the number of stripes per unit;
    ``tip`` the heights between which the extremity's colour fades in; ``white`` a region that is
    white in bicolour coats; ``toes`` the paws' centres.
    """

    name: str
    part: str
    blobs: tuple[Blob, ...]
    flow: Point
    hair: float
    stripes: Point
    shade: float
    tip: Point = (9.0, 10.0)
    white: Blob | None = None
    toes: tuple[Point, ...] = ()
    blend: float = 0.09
    dim: float = 1.0


CHEST = ball(0, 1.45, 0.42, 0.75)


def _front_leg(name: str, knee: Point, paw: Point, dim: float = 1.0) -> Limb:
    pu, pv = paw
    blobs = (limb(knee, (pu, pv - 0.12), 0.27, 0.19), ball(pu, pv, 0.27, 0.19, 0.06))
    white = ball(pu, pv, 0.4, 0.75)
    tip = (pv - 0.8, pv - 0.1)
    return Limb(name, "legs", blobs, (0, 1), 0.1, (0.1, 2.6), 0.4, tip, white, (paw,), dim=dim)


SITTING = (
    Limb(
        "torso",
        "body",
        (ball(0, 1.85, 0.86, 1.18), ball(0, 1.05, 0.68, 0.7)),
        (0, 1),
        0.2,
        (0.5, 1.7),
        0.0,
        white=CHEST,
    ),
    Limb("haunch_left", "body", (ball(-0.7, 2.42, 0.5, 0.6),), (-0.5, 1), 0.16, (1.2, 1.6), 0.35),
    Limb("haunch_right", "body", (ball(0.7, 2.42, 0.5, 0.6),), (0.5, 1), 0.16, (-1.2, 1.6), 0.35),
    Limb(
        "hind_paws",
        "legs",
        (ball(-0.8, 2.95, 0.36, 0.17), ball(0.8, 2.95, 0.36, 0.17)),
        (0, 1),
        0.08,
        (0, 1),
        0.35,
        (2.5, 2.9),
        ball(0, 2.95, 2, 0.3),
        ((-0.86, 2.95), (0.86, 2.95)),
    ),
    _front_leg("leg_left", (-0.32, 1.6), (-0.29, 2.98)),
    _front_leg("leg_right", (0.32, 1.6), (0.29, 2.98)),
)
LYING = (
    Limb(
        "torso",
        "body",
        (ball(1.3, 0.78, 1.65, 0.9), ball(0.2, 0.75, 0.8, 0.72)),
        (1, 0.35),
        0.2,
        (1.9, -0.3),
        0.0,
        white=ball(0, 1.0, 0.6, 0.6),
    ),
    Limb("haunch", "body", (ball(2.25, 0.98, 0.78, 0.7),), (0.7, 0.7), 0.17, (1.3, 1.2), 0.35),
    Limb(
        "hind_paw",
        "legs",
        (limb((2.2, 1.58), (1.55, 1.62), 0.2, 0.17),),
        (-1, 0.1),
        0.08,
        (2.2, 0),
        0.35,
        (1.2, 1.6),
        ball(1.5, 1.62, 0.5, 0.4),
        ((1.42, 1.62),),
    ),
    Limb(
        "leg_far",
        "legs",
        (limb((0.5, 1.1), (-0.45, 1.42), 0.3, 0.19), ball(-0.6, 1.45, 0.26, 0.17)),
        (-1, 0.3),
        0.09,
        (2.4, 0),
        0.2,
        (1.0, 1.4),
        ball(-0.6, 1.45, 0.5, 0.4),
        ((-0.66, 1.45),),
        dim=0.8,
    ),
    Limb(
        "leg_near",
        "legs",
        (limb((0.7, 1.25), (-0.15, 1.58), 0.3, 0.2), ball(-0.3, 1.6, 0.28, 0.18)),
        (-1, 0.3),
        0.09,
        (2.4, 0),
        0.35,
        (1.2, 1.5),
        ball(-0.3, 1.6, 0.5, 0.4),
        ((-0.38, 1.6),),
    ),
)
STANDING = (
    Limb(
        "hind_far",
        "legs",
        (
            limb((2.55, 1.1), (2.5, 1.75), 0.42, 0.22),
            limb((2.5, 1.75), (2.45, 2.35), 0.19, 0.15),
            ball(2.36, 2.42, 0.25, 0.14),
        ),
        (0, 1),
        0.09,
        (0.2, 2.2),
        0.0,
        (1.7, 2.2),
        ball(2.4, 2.4, 0.4, 0.5),
        ((2.3, 2.42),),
        dim=0.55,
    ),
    Limb(
        "leg_far",
        "legs",
        (limb((0.75, 1.1), (0.85, 2.3), 0.32, 0.17), ball(0.78, 2.4, 0.25, 0.15)),
        (0, 1),
        0.09,
        (0.2, 2.2),
        0.0,
        (1.7, 2.2),
        ball(0.8, 2.4, 0.4, 0.6),
        ((0.74, 2.4),),
        dim=0.55,
    ),
    Limb(
        "torso",
        "body",
        (ball(1.55, 0.85, 1.5, 0.66), ball(0.4, 0.72, 0.66, 0.72), ball(2.65, 0.8, 0.72, 0.68)),
        (1, 0.25),
        0.18,
        (2.1, -0.2),
        0.2,
        white=ball(0.1, 1.1, 0.6, 0.5),
    ),
    Limb(
        "hind_near",
        "legs",
        (
            ball(2.75, 1.1, 0.5, 0.66),
            limb((2.8, 1.55), (3.0, 1.95), 0.27, 0.18),
            limb((3.0, 1.95), (2.85, 2.45), 0.17, 0.15),
            ball(2.74, 2.52, 0.27, 0.15),
        ),
        (0.1, 1),
        0.1,
        (0.6, 2.0),
        0.3,
        (1.8, 2.3),
        ball(2.8, 2.5, 0.4, 0.5),
        ((2.68, 2.52),),
        blend=0.12,
    ),
    Limb(
        "leg_near",
        "legs",
        (limb((0.42, 1.0), (0.36, 2.35), 0.36, 0.18), ball(0.28, 2.5, 0.27, 0.16)),
        (0, 1),
        0.1,
        (0.2, 2.2),
        0.3,
        (1.7, 2.3),
        ball(0.3, 2.5, 0.4, 0.7),
        ((0.22, 2.5),),
    ),
)
PORTRAIT = (
    Limb(
        "torso",
        "body",
        (ball(0, 2.7, 1.35, 1.75), ball(0, 1.15, 0.92, 0.75)),
        (0, 1),
        0.24,
        (0.4, 1.5),
        0.0,
        white=ball(0, 1.8, 0.5, 1.3),
    ),
)
LIMBS = {"sitting": SITTING, "lying": LYING, "standing": STANDING, "portrait": PORTRAIT}
FEET = {
    "sitting": ((0.0, 3.0, 1.25, 0.22),),
    "lying": ((1.2, 1.65, 2.1, 0.24), (-0.4, 1.65, 0.5, 0.14)),
    "standing": ((0.5, 2.55, 0.55, 0.13), (2.7, 2.55, 0.6, 0.13), (1.6, 2.6, 1.9, 0.2)),
    "portrait": (),
}
FEET_LEVEL = {"sitting": 3.1, "lying": 1.8, "standing": 2.7, "portrait": 4.0}
TAILS: dict[str, tuple[Curve, ...]] = {
    "sitting": (
        ((0.6, 2.8), (1.6, 3.1), (2.2, 2.6), (1.75, 1.9)),
        ((0.6, 2.7), (1.5, 2.9), (1.5, 2.0), (1.95, 1.35)),
        ((0.7, 2.85), (1.6, 3.05), (2.0, 3.1), (2.5, 2.85)),
    ),
    "lying": (
        ((2.7, 1.3), (3.7, 1.7), (3.0, 1.95), (1.9, 1.85)),
        ((2.7, 1.2), (3.5, 1.6), (3.9, 1.2), (3.7, 0.6)),
    ),
    "standing": (
        ((3.1, 0.55), (3.9, 0.5), (3.6, -0.5), (4.0, -1.0)),
        ((3.1, 0.6), (4.0, 0.9), (3.9, 1.8), (4.4, 1.7)),
        ((3.05, 0.5), (3.7, 0.1), (3.1, -0.7), (3.3, -1.2)),
    ),
    "portrait": (),
}
