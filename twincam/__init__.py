"""TwinCAM: tell real images from generated ones, and show why.

``twincam.load_classifier(path)`` and ``twincam.load_prototypes(path)`` read the models of a run.
Importing this package does not load torch.

Idle OpenMP threads sleep instead of spinning, unless the environment says otherwise: on a busy
machine spinning threads multiply the run time. This must be set before torch is loaded.
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
