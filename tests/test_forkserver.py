"""A module runs in a fork as in a new Python, but with the libraries loaded."""

import sys
from pathlib import Path

import pytest

from tests.conftest import run_in
from tests.forkserver import SET_BY_LIBRARIES

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

    def probe(*, forks: bool = True) -> tuple[int, str]:
        done = run_in(tmp_path, "python", "-m", "stages.probe", "word", check=False, forks=forks)
        return done.returncode, done.stdout

    assert probe() == (3, "torch word 1\n")
    for name in SET_BY_LIBRARIES:
        monkeypatch.setenv(name, str(tmp_path))
        assert probe() == (3, "torch word 1\n"), name
    assert probe(forks=False) == (3, "word 1\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert probe() == (3, "word 1\n"), "read only when Python starts"
