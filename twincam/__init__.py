"""TwinCAM: tell real images from generated ones, and show why.

``twincam.explain("photo.jpg")`` returns the verdict on a picture and the reasons.
``twincam.load_classifier(path)`` and ``twincam.load_prototypes(path)`` read the models of a run.
Importing this package does not load torch.

Idle OpenMP threads sleep instead of spinning, unless the environment says otherwise: on a busy
machine spinning threads multiply the run time. This must be set before torch is loaded.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from twincam.app.classifier import Classifier, load_classifier
    from twincam.app.prototypes import Prototypes, load_prototypes
    from twincam.explainer.explaining import explain
    from twincam.explainer.explanation import Explanation

__all__ = [
    "Classifier",
    "Explanation",
    "Prototypes",
    "explain",
    "load_classifier",
    "load_prototypes",
]

_MODULES = {
    "Classifier": "twincam.app.classifier",
    "load_classifier": "twincam.app.classifier",
    "Prototypes": "twincam.app.prototypes",
    "load_prototypes": "twincam.app.prototypes",
    "explain": "twincam.explainer.explaining",
    "Explanation": "twincam.explainer.explanation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'twincam' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
