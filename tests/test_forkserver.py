"""A module runs in a fork as in a new Python, but with the libraries loaded."""

import sys
from pathlib import Path

import pytest

from tests.conftest import run_in

PROBE = """
import os
import sys
loaded = [name for name in ("torch", "twincam") if name in sys.modules]
print(*loaded, *sys.argv[1:], len(os.listdir("/proc/self/task")))
sys.exit(3)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux alone")
def test_a_module_of_the_folder_at_hand_runs_in_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "__init__.py").touch()
    (tmp_path / "stages" / "probe.py").write_text(PROBE)
    command = ("python", "-m", "stages.probe", "word")
    for _ in range(2):
        done = run_in(tmp_path, *command, check=False)
        assert (done.returncode, done.stdout) == (3, "torch word 1\n")
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    done = run_in(tmp_path, *command, check=False, forks=False)
    assert (done.returncode, done.stdout) == (3, "word 1\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    done = run_in(tmp_path, *command, check=False)
    assert (done.returncode, done.stdout) == (3, "word 1\n"), "read only when Python starts"
