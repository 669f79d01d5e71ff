"""The option ``--url`` and what stands in its place: which store a command talks to, and who said so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from activitylog.exceptions import ConfigurationError, StoreError, StoreUnavailableError
from activitylog.settings import load_settings
from activitylog.url import DestinationURL, parse

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Folder of the store when nobody names one, below the working directory.
DEFAULT_FOLDER: Final = "activitylog-data"
_STORES: Final = ("chdb", "clickhouse")

url_option = click.option(
    "--url",
    metavar="URL",
    help="The store: clickhouse://user:password@host:8123/db, chdb:///abs/dir, or a folder. "
    f"Else ACTIVITYLOG_URL or activitylog.toml, else ./{DEFAULT_FOLDER}.",
)


@dataclass(frozen=True, slots=True)
class Store:
    """
    A store and where its URL came from.

    Attributes:
        url: its address.
        origin: ``--url``, ``the settings`` or ``the default``.
    """

    url: DestinationURL
    origin: str

    @property
    def folder(self) -> Path | None:
        """The folder of an embedded store that is on disk."""
        return Path(self.url.path) if self.url.kind == "chdb" and self.url.path != "memory" else None

    @property
    def option(self) -> str:
        """What to type so that another command talks to the same store; empty when nothing is needed."""
        return f" --url {self.url}" if self.origin == "--url" else ""

    def __str__(self) -> str:
        return f"{self.url} ({self.origin})"


def choose_store(given: str | None, *, any_destination: bool = False) -> Store:
    """
    Decide which store a command talks to.

    Args:
        given: the value of ``--url``: a URL, or a path of a folder.
        any_destination: also accept what events can only be sent to (``otlp:``, ``console:``, ``memory:``).

    Raises:
        ConfigurationError: a URL that cannot be used.
    """
    if given is not None:
        url = parse(_as_url(given))
        if any_destination or url.kind in _STORES:
            return Store(url, "--url")
        raise ConfigurationError(
            f"{str(url)!r} can be sent to, not asked.",
            hint="Give a chdb:// or clickhouse:// URL, or a folder.",
        )
    for url in load_settings().url:
        if any_destination or url.kind in _STORES:
            return Store(url, "the settings")
    return Store(parse(_as_url(DEFAULT_FOLDER)), "the default")


def _as_url(given: str) -> str:
    """A folder's path becomes a ``chdb`` URL; what has a scheme stays as it is."""
    if not given.strip():
        raise ConfigurationError("--url is empty.", hint="Leave it out, or name a store.")
    head, colon, _ = given.partition(":")
    if colon and "/" not in head and "." not in head:
        return given
    return str(DestinationURL("chdb", "chdb", path=str(Path(given).expanduser().absolute())))


def existing_store(given: str | None) -> Store:
    """
    As :func:`choose_store`, for a command that only reads: the folder of an embedded store has to be there.

    Raises:
        StoreUnavailableError: there is no such folder.
    """
    store = choose_store(given)
    folder = store.folder
    if folder is not None and not folder.is_dir():
        raise StoreUnavailableError(
            f"There is no store at {store}.",
            hint="Name one with --url, or make one: `activitylog demo`, `activitylog ingest FILE`.",
        )
    if folder is not None and not _is_store(folder) and _is_store(folder / "store"):
        raise StoreUnavailableError(f"There is no store at {store}.", hint=f"Did you mean {folder / 'store'}?")
    return store


def _is_store(folder: Path) -> bool:
    """Whether the embedded engine was here."""
    return (folder / "metadata").is_dir()


def open_store(store: Store, *, create_database: bool = False) -> Client:
    """
    Connect to the store.

    Raises:
        StoreError: locked, unreachable, refused, or the embedded engine is not installed; with the next step.
    """
    if store.url.kind == "chdb":
        require_engine()
    from activitylog.store import connect

    return connect(store.url, create_database=create_database)


def require_engine() -> None:
    """
    Check that the embedded engine is installed, without loading it.

    Raises:
        StoreError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("chdb") is None:
        raise StoreError(
            "The embedded engine is not installed (chDB, about 900 MB).",
            hint="Install it with `pip install 'activitylog[embedded]'`, or give --url clickhouse://...",
        )


def note_store(store: Store) -> None:
    """Name the store on standard error."""
    from activitylog.cli.visible import visible

    click.secho(f"store: {visible(str(store))}", err=True, dim=True)
