"""The spools of this machine: which there are, for which destination, and how full they may get."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from activitylog.settings import Settings
from activitylog.spooling import spool_directory, spool_folder
from activitylog.url import DestinationURL

if TYPE_CHECKING:
    from otel_spool import SpoolStatus


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a spool is.

    Attributes:
        url: of its destination, without secrets; empty where the settings name none that it belongs to.
    """

    directory: Path
    url: str = ""


def places(settings: Settings, path: Path | None = None) -> list[Place]:
    """
    The spools in the spool directory, those of the destinations in the settings first.

    Args:
        path: look there instead: a spool, or a folder of spools.

    Raises:
        otel_spool.FolderError: ``path`` is a part of a spool.
        OSError: the folder cannot be read. One that is not there has no spools.
    """
    from otel_spool import spools_in

    folder = path or spool_directory(settings)
    if path is None and not folder.exists():
        return []
    named = {spool_folder(url, settings): str(url) for url in settings.url}
    found = [Place(directory, named.get(directory, "")) for directory in spools_in(folder.absolute())]
    return sorted(found, key=lambda place: not place.url)


def spool_of(url: DestinationURL, settings: Settings) -> SpoolStatus | None:
    """
    What the spool of one destination holds on this machine; None when there is none.

    Raises:
        OSError: it cannot be read.
    """
    from otel_spool import look

    directory = spool_folder(url, settings)
    return look(directory) if directory.is_dir() else None
