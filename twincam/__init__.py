"""TwinCAM: tell real images from generated ones, and show why.

``twincam.load_classifier(path)`` and ``twincam.load_prototypes(path)`` read the models of a run.
Nothing here loads torch before it is asked for.

Threads of OpenMP that wait for work sleep instead of spinning, unless the environment says
otherwise: on a busy machine spinning ones multiply the time. It must stand before torch is loaded.
"""

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from twincam.app.classifier import Classifier, load_classifier

__all__ = ["Classifier", "load_classifier"]


def __getattr__(name: str) -> Any:
    if name in ("Classifier", "load_classifier"):
        from twincam.app import classifier

        return getattr(classifier, name)
    raise AttributeError(f"module 'twincam' has no attribute {name!r}")
