"""
The folder of the demo: its own, or none at all.

A file in it says that the demo made it. Only such a folder is emptied and used again; one that holds anything
else is left alone, whatever was asked for.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from activitylog.exceptions import ActivityLogError

#: The file that makes a folder the demo's.
MARKER: Final = "MADE-BY-ACTIVITYLOG-DEMO"
_STORE: Final = "store"
_TEXT: Final = "`activitylog demo` made this folder. It deletes and makes it anew each time it runs.\n"


def own_folder(path: Path) -> Path:
    """
    Make the folder, empty.

    Args:
        path: absolute; must not exist, be an empty folder, or be a folder of an earlier demo that nobody uses.

    Returns:
        The folder of the store in it, which does not exist yet.

    Raises:
        ActivityLogError: it is something else, or cannot be made.
        StoreLockedError: another process has its store open.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise _not_ours(path)
        if path.is_dir():
            _empty(path)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / MARKER).write_text(_TEXT, encoding="utf-8")
    except OSError as error:
        raise ActivityLogError(
            f"Cannot make the folder {str(path)!r}: {error.strerror or error}.",
            hint="Choose another one with --dir.",
        ) from None
    return path / _STORE


def _empty(path: Path) -> None:
    if not any(path.iterdir()):
        return
    marker = path / MARKER
    if marker.is_symlink() or not marker.is_file():
        raise _not_ours(path)
    store = path / _STORE
    if store.is_dir():
        from activitylog.store.client import check_unlocked

        check_unlocked(str(store))
        if store.is_symlink():
            raise _not_ours(path)
        shutil.rmtree(store)


def _not_ours(path: Path) -> ActivityLogError:
    return ActivityLogError(
        f"{str(path)!r} was not made by the demo, so it stays as it is.",
        hint="Choose another folder with --dir; a new or an empty one will do.",
    )
