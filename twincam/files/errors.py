"""Errors that a user can fix end a stage with one line on standard error, without a traceback."""

import errno
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

OUT_OF_MEMORY = (
    "out of memory; close other programs, raise `ulimit -v` or `-d` if it is set, or lower "
    "prepare.image_size, and run again"
)

NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "bad alloc",
    "Failed to allocate memory",
    "can't start new thread",
    "failed to map segment",
)


class UserError(Exception):
    """Something the user can fix; the message says what was expected, what came, what to do."""


def one_line(error: OSError) -> str:
    """Return the message of an operating system error in one line that says what to do."""
    place = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left to write{place}; free some disk and run again (nothing was lost)"
    if isinstance(error, FileNotFoundError):
        missing = error.filename or error
        return f"not found: {missing}; run `dvc repro` or `dvc pull` to create it"
    return f"{error.strerror or error}{place}; fix it and run again"


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run_stage(main: Callable[[list[str]], None], name: str) -> None:
    """Run ``main`` on the command line; exit with one line and 1 for a user's error, 130 on Ctrl-C.

    Any other exception is a bug in this program and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    from twincam.files.profiling import profiled

    try:
        with profiled(name):
            main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {one_line(error)}")
    except KeyboardInterrupt:
        print(
            f"\n{name}: interrupted; no file is half-written, run again to resume", file=sys.stderr
        )
        sys.exit(130)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        sys.exit(f"{name}: {OUT_OF_MEMORY}")


def report_failed_import(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error of a stage's imports, before `run_stage`; for ``sys.excepthook``.

    One line if memory did not suffice to load a library, else the traceback.
    """
    if _is_out_of_memory(error):
        print(f"{Path(sys.argv[0]).parent.name}: {OUT_OF_MEMORY}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory did not suffice; libraries, threads and the loader say so in words."""
    said = str(error)
    return isinstance(error, MemoryError) or any(word in said for word in NO_MEMORY)
