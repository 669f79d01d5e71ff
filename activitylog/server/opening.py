"""Opening the embedded engine: what a store is called, and why it may not open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from activitylog.exceptions import ConfigurationError, StoreUnavailableError
from activitylog.store.client import check_unlocked
from otel_clickhouse.unstored import forget_unstored

IN_MEMORY = ":memory:"


def engine_path(store: str | Path) -> str:
    """
    The engine's path for what a user calls a store.

    Args:
        store: a folder, ``chdb:///folder``, or ``memory``, ``:memory:``, ``chdb://memory``.

    Raises:
        ConfigurationError: a URL of another kind.
    """
    text = str(store)
    place = text.removeprefix("chdb://")
    if place in ("memory", IN_MEMORY):
        return IN_MEMORY
    if "://" in place or "?" in place or not place:
        raise ConfigurationError(
            f"Cannot serve {text!r}: accepted are a folder, chdb:///folder and chdb://memory.",
            hint="serve opens the embedded engine; a server or a Collector has its own HTTP interface.",
        )
    return str(Path(place).expanduser().absolute())


def connect(path: str) -> Any:
    """
    A connection of chDB's to the engine at ``path``, which is opened if this is the first.

    Raises:
        StoreUnavailableError: it cannot be opened, or another one is open in this process.
    """
    try:
        import chdb
    except ImportError as error:
        raise StoreUnavailableError(
            "The embedded engine is not installed.", hint="Run: pip install 'activitylog[embedded]'"
        ) from error
    try:
        return chdb.connect(path)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise _opening_error(path, str(error)) from error


def prepare_folder(path: str) -> None:
    """
    Make the folder, mend what a killed engine has left; fail here where the engine would in words that nobody
    understands.

    Raises:
        StoreLockedError: another process has it open.
        StoreUnavailableError: it cannot be made.
    """
    if path == IN_MEMORY:
        return
    folder = Path(path)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"Cannot open the store {folder}: {error.strerror}.", hint="Name a folder that you may write to."
        ) from error
    check_unlocked(folder)
    forget_unstored(folder)


def _opening_error(path: str, message: str) -> StoreUnavailableError:
    message = message.partition(", Stack trace")[0].strip()
    if "different path" in message:
        return StoreUnavailableError(
            f"Cannot open {path}: this process has another embedded store open.",
            hint="chDB has one engine a process: serve the other store from a process of its own.",
        )
    return StoreUnavailableError(
        f"Cannot open the store {path}: {message}", hint="Is it a chDB folder, and yours?"
    )
