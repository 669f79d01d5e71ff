"""A notebook, in a real kernel: cells that are run again, interrupted, forked; and the kernel's end."""

from __future__ import annotations

import asyncio
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [
    pytest.mark.slow,
    # nbclient's own, of event loops that it makes and leaves to the collector.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

CONFIGURE = """
import activitylog
activitylog.configure("chdb://{folder}/store", service_name="notebook", spool_directory="{folder}/spool")
"""
COUNT = """
from activitylog.store import connect
def count():
    assert activitylog.flush(60).complete
    client = connect("chdb://{folder}/store")
    found = client.query("SELECT EventName, count() FROM activity_events GROUP BY 1 ORDER BY 1").result_rows
    client.close()
    return [tuple(row) for row in found]
"""
#: What other processes have left on disk is delivered within seconds.
WAIT = """
import time
end = time.monotonic() + 60
while count() != {events} and time.monotonic() < end:
    time.sleep(0.2)
count() == {events}
"""


class Notebook:
    """Cells, run one after another in one kernel."""

    def __init__(self, client: Any, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._cells = 0

    def run(self, code: str) -> str:
        """What the cell prints, and the last value."""
        cell = nbformat.v4.new_code_cell(textwrap.dedent(code).strip().replace("{folder}", str(self._folder)))
        self._client.nb.cells.append(cell)
        self._client.execute_cell(cell, self._cells)
        self._cells += 1
        texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
        return "".join(texts).strip()

    def interrupt(self) -> None:
        """As the square button does."""
        asyncio.run(self._client.km.interrupt_kernel())


@contextmanager
def kernel(folder: Path) -> Iterator[Notebook]:
    """A kernel of its own; on the way out it is shut down, as a notebook's menu does it."""
    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, timeout=240, kernel_name="python3", allow_errors=True)
    with client.setup_kernel():
        yield Notebook(client, folder)


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """Configured on an embedded store."""
    with kernel(tmp_path) as found:
        assert found.run(CONFIGURE) == ""
        found.run(COUNT)
        yield found


def test_cells_that_emit_flush_and_ask(notebook: Notebook) -> None:
    """What one cell has emitted the next one finds; awaiting works, too."""
    assert notebook.run('activitylog.emit("cell.run", actor="user:1", object="cell:1")') == "True"
    assert notebook.run("count()") == "[('cell.run', 1)]"
    code = 'activitylog.emit("cell.run"); (await activitylog.aflush(60)).complete'
    assert notebook.run(code) == "True"
    assert notebook.run("count()") == "[('cell.run', 2)]"


def test_the_cell_that_configures_may_be_run_again(notebook: Notebook) -> None:
    """Nothing is lost, nothing is there twice, and the embedded store is not in its own way."""
    for _ in range(3):
        notebook.run('activitylog.emit("cell.run")')
        assert notebook.run(CONFIGURE) == ""
    assert notebook.run("count()") == "[('cell.run', 3)]"


def test_a_cell_that_is_interrupted(notebook: Notebook) -> None:
    """In the midst of an event or of a flush; afterwards all is as before."""
    began = Path(notebook.run("print('{folder}')")) / "began"
    code = """
        import pathlib
        emitted = 0
        try:
            while True:
                emitted += activitylog.emit("cell.run")
                if emitted == 100: pathlib.Path("{folder}/began").touch()
        except KeyboardInterrupt:
            print("interrupted")
    """

    def interrupt() -> None:
        while not began.exists():
            threading.Event().wait(0.05)
        notebook.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert notebook.run(code) == "interrupted"
    thread.join()
    notebook.run('activitylog.emit("cell.later")')
    # An event that was cut off behind its write is sent from disk, seconds later, and the log says so here.
    *_, counted = notebook.run(
        "count() in ([('cell.later', 1), ('cell.run', emitted + n)] for n in (0, 1))"
    ).splitlines()
    assert counted == "True"


def test_processes_that_a_cell_forks(notebook: Notebook) -> None:
    """They have what the notebook has bound; the notebook's process delivers what they leave on disk."""
    code = """
        import multiprocessing
        def work(n):
            return activitylog.emit("piece.done", object=("piece", n))
        with activitylog.bind(actor="user:1"):
            carried = activitylog.carry(work)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(sum(pool.map(carried, range(6))))
            pool.close(); pool.join()
        activitylog.emit("cell.run")
    """
    assert notebook.run(code).startswith("6")
    assert notebook.run(WAIT.replace("{events}", "[('cell.run', 1), ('piece.done', 6)]")) == "True"


def test_the_kernel_is_shut_down(tmp_path: Path) -> None:
    """What no cell has flushed is sent, or on disk: Jupyter waits for a few seconds before it kills."""
    with kernel(tmp_path) as notebook:
        notebook.run(CONFIGURE)
        notebook.run('activitylog.emit("cell.run")')
    with kernel(tmp_path) as notebook:
        notebook.run(CONFIGURE)
        notebook.run(COUNT)
        notebook.run('activitylog.emit("cell.later")')
        assert notebook.run(WAIT.replace("{events}", "[('cell.later', 1), ('cell.run', 1)]")) == "True"
