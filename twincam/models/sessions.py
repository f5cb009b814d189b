"""Sessions of onnxruntime; importing this module loads neither torch nor onnxruntime."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH_AXIS = "images"

INPUTS = "inputs"

ANY = 0
"""Stands for a session of any number of images."""


def open_session(graph: bytes, count: int, threads: int) -> "InferenceSession":
    """Compile ONNX whose input is `INPUTS` for ``count`` images, or `ANY`, on the CPU.

    Idle threads sleep instead of spinning, which on a busy machine multiplies the run time.

    Args:
        graph: ONNX with the axis `BATCH_AXIS`.
        count: a session of one number of images takes two thirds of the time of one for any.
        threads: that one run uses.
    """
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if count != ANY:
        options.add_free_dimension_override_by_name(BATCH_AXIS, count)
    return InferenceSession(graph, options, providers=["CPUExecutionProvider"])
