"""A server that runs stages and commands for the tests in forks, with the libraries loaded.

A new Python imports torch and the like for seconds; a fork of the server starts at once. Run as a
script, the server prints a folder and serves until its standard input ends. The folder holds a
`python` and a `dvc`, which have their module run in a fork. The project's own modules are imported
there, from the folder at hand. What a fork cannot do runs in a new Python. To a fork, that `python`
is `sys.executable`.

A fork has the server's limits and at least its peak memory: tests that set or measure those, or
prove that a stage starts by itself, use a new Python.
"""

import gc
import json
import os
import signal
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from select import select
from socket import AF_UNIX, SOCK_SEQPACKET, recv_fds, send_fds, socket
from typing import NoReturn

HERE = Path(__file__).parent
SERVED = ("dvc", "stages", "twincam")
LIBRARIES = (
    *("captum.attr", "dvc.api", "dvc.cli.parser", "faiss", "jinja2", "matplotlib.pyplot", "onnx"),
    *("pandas", "pydantic.main", "ruamel.yaml", "safetensors.torch", "scipy.stats"),
    *("sklearn.isotonic", "sklearn.linear_model", "sklearn.manifold", "sklearn.pipeline"),
    *("timm", "torch", "torchvision"),
)
"""What is loaded; none of these may start a thread on import, for a fork would lack it."""

READ_AT_START = ("CUDA", "GOMP", "KMP", "LD_", "MKL", "MPL", "OMP", "OPENBLAS", "PYTHON", "TORCH")
"""How variables begin that Python and the libraries read only when they start."""

SET_BY_LIBRARIES = (
    *("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "LD_LIBRARY_PATH", "PYTHONBREAKPOINT"),
    "TORCHINDUCTOR_CACHE_DIR",
)
"""What torch, scikit-learn, OpenCV and Ray set themselves in a process of the tests that uses them;
no test sets it."""

PROGRAM = """#!{python} -IS
import sys
sys.path.append("{here}")
from forkserver import ask
ask("{folder}", {words} + sys.argv[1:])
"""

SIZE = 100_000
"""The most bytes of a request: its words, folder and environment."""


def ask(folder: str, words: list[str]) -> NoReturn:
    """Run ``python words`` in a fork of the server of ``folder``, or else in a new Python."""
    if words[:1] == ["-m"] and words[1].split(".")[0] in SERVED:
        with socket(AF_UNIX, SOCK_SEQPACKET) as server:
            try:
                server.connect(f"{folder}/socket")
                request = {"words": words[1:], "folder": os.getcwd(), "environment": {**os.environ}}
                send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
                child = int(server.recv(SIZE) or 0)
            except (ConnectionError, FileNotFoundError):
                child = 0
            if child:
                wait(server, child)
    os.execv(sys.executable, [sys.executable, *words])


def wait(server: socket, child: int) -> NoReturn:
    """Pass signals on to the process ``child``, and end as it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(child, number))
    code = int(server.recv(SIZE) or 1)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def main() -> None:
    """Make the folder with its programs and the socket, and serve until standard input ends."""
    import shutil
    import tempfile

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    folder = Path(tempfile.mkdtemp())
    for name, words in (("python", []), ("dvc", ["-m", "dvc"])):
        program = folder / name
        text = PROGRAM.format(python=sys.executable, here=HERE, folder=folder, words=words)
        program.write_text(text)
        program.chmod(0o755)
    with socket(AF_UNIX, SOCK_SEQPACKET) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        print(folder, flush=True)
        serve(listener, f"{folder}/python")
    shutil.rmtree(folder)
    os._exit(0)


def serve(listener: socket, python: str) -> None:
    """Answer each request in a fork until standard input ends."""
    started_with = settings(dict(os.environ))
    while sys.stdin not in select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        load()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sys.executable = python
            answer(connection, started_with)
            os._exit(0)
        connection.close()


def settings(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables of ``environment`` that count only when a process starts."""
    counts = {name for name in environment if name.startswith(READ_AT_START)}
    return {name: environment[name] for name in counts.difference(SET_BY_LIBRARIES)}


@cache
def load() -> None:
    """Import the libraries, and spare every fork the search for garbage in them."""
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()


def answer(connection: socket, started_with: dict[str, str]) -> None:
    """Run what ``connection`` asks for in a process that ends, at the latest, with the asker."""
    from multiprocessing import get_context

    message, descriptors, _, _ = recv_fds(connection, SIZE, 3)
    request = json.loads(message)
    if settings(request["environment"]) != started_with:
        connection.send(b"0")
        return
    process = get_context("fork").Process(target=run, args=(descriptors,), kwargs=request)
    process.start()
    assert process.pid
    connection.send(str(process.pid).encode())
    ended = os.pidfd_open(process.pid)
    if ended not in select([connection.fileno(), ended], [], [])[0]:
        process.kill()
        return
    process.join()
    connection.send(str(process.exitcode).encode())


def run(descriptors: list[int], words: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a module as ``python -m words`` does.

    Afterwards `multiprocessing` ends the process without taking down the libraries, which takes as
    long as loading them.
    """
    import atexit
    import runpy

    import numpy as np

    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # else every fork would have the server's state
    sys.path[0] = folder
    sys.argv = words
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()


if __name__ == "__main__":
    main()
