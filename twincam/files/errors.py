"""What a user can meet ends a stage with one line on standard error, never a traceback."""

import errno
import signal
import sys
from collections.abc import Callable
from types import FrameType


class UserError(Exception):
    """Something the user can put right: what was expected, what came, what to do."""


def one_line(error: OSError) -> str:
    """Say an operating system error as one line that ends in what to do."""
    place = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space left to write{place}; free some disk and run again (nothing was lost)"
    if isinstance(error, FileNotFoundError):
        missing = error.filename or error
        return f"not found: {missing}; run `dvc repro` (or `dvc pull`) so that it is there"
    return f"{error.strerror or error}{place}; put that right and run again"


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run_stage(main: Callable[[list[str]], None], name: str) -> None:
    """Run ``main`` on the command line; exit with 1 and one line on a user's error, 130 on Ctrl-C.

    Any other exception is a defect of this program and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {one_line(error)}")
    except MemoryError:
        sys.exit(
            f"{name}: out of memory; close other programs or lower prepare.image_size and run again"
        )
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; nothing half-written, run again to go on", file=sys.stderr)
        sys.exit(130)
