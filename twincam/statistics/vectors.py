"""Vectors and their directions."""

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale the last axis to length 1; zeros are kept."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
