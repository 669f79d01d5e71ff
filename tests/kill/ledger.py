"""The ledger: what was acknowledged, written by whoever emitted it, after ``emit`` had returned."""

from __future__ import annotations

import os
from pathlib import Path


class Ledger:
    """
    A file of lines. Each is one ``write``, which survives the process; processes may share the file.

    Args:
        path: of the file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, line: str) -> None:
        """Write a line."""
        os.write(self._descriptor, f"{line}\n".encode())

    def lines(self) -> list[str]:
        """All lines so far."""
        return self.path.read_text().splitlines()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
