"""
Modules that are imported on first use, in the exporting thread, and what a fork has to do with it.

A fork while a thread is in the middle of an import leaves the child with a module that is never finished, and with
a lock that nobody frees: its first export would wait for ever. So a fork waits until such an import is over.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Final

_importing: Final = threading.RLock()

os.register_at_fork(
    before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release
)


def import_modules(*names: str) -> None:
    """
    Import them now, so that a later ``import`` finds them whole.

    Raises:
        ImportError: one is not installed.
    """
    with _importing:
        for name in names:
            importlib.import_module(name)
