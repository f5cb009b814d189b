"""Ray on this machine."""

import secrets
from collections.abc import Iterator

import pytest

TOKEN = secrets.token_hex()
"""Ray reads it once in a process."""


@pytest.fixture(scope="module")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start Ray with two processors, whatever this machine has, and stop it afterwards."""
    import ray

    folder = str(tmp_path_factory.mktemp("r"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        ray.init(
            "local", num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder
        )
        yield
        ray.shutdown()
