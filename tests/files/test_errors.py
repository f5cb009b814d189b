"""How a stage ends: one line and a status, never a traceback for a user's error."""

import errno
import resource
import signal
import subprocess
import sys
import time

import pytest

from twincam.files.errors import UserError, report_failed_import, run_stage


def ends_with(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    def main(_argv: list[str]) -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run_stage(main, "stage")
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UserError("expected this, got that"), "expected this, got that"),
        (OSError(errno.ENOSPC, "No space left on device", "models/x"), "no space left to write"),
        (FileNotFoundError(errno.ENOENT, "No such file", "data/x.npy"), "not found: data/x.npy"),
        (PermissionError(errno.EACCES, "Permission denied", "data"), "Permission denied: data"),
        (FileNotFoundError("No such file: /nope"), "not found: No such file: /nope"),
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (RuntimeError("Failed to allocate memory for requested buffer"), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (RuntimeError("can't start new thread"), "out of memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory"),
    ],
)
def test_user_errors_are_one_line(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = ends_with(error, capsys)
    assert isinstance(code, str)  # printed by the interpreter, status 1
    assert words in code
    assert "\n" not in code


def test_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = ends_with(KeyboardInterrupt(), capsys)
    assert code == 130
    assert "interrupted" in printed


def test_bugs_keep_their_traceback() -> None:
    def main(_argv: list[str]) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_stage(main, "stage")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_stage_without_traceback(number: int) -> None:
    code = (
        "import time\nfrom twincam.files.errors import run_stage\n"
        "def main(argv):\n    print('up', flush=True)\n    time.sleep(60)\n"
        "run_stage(main, 'stage')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    time.sleep(0.1)
    process.send_signal(number)
    _, printed = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in printed
    assert "Traceback" not in printed


def test_a_library_that_does_not_fit_into_memory_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "--help"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("train: out of memory")
    assert done.stderr.count("\n") == 1


def test_other_failed_imports_keep_their_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    report_failed_import(ImportError, ImportError("no module named x"), None)
    assert "ImportError: no module named x" in capsys.readouterr().err
