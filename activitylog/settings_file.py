"""The file of settings: the one that is named, else the nearest one from the working directory upwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from activitylog.toml_file import TomlFile, read_toml


def find_settings_file(environ: Mapping[str, str], directory: Path | None) -> TomlFile | None:
    """
    Read the file that ``ACTIVITYLOG_CONFIG`` names, or look for one.

    Args:
        environ: the environment.
        directory: where the search begins, the working directory by default.

    Raises:
        ConfigurationError: a file cannot be read or is not TOML.
    """
    named = environ.get("ACTIVITYLOG_CONFIG")
    if named:
        return read_toml(Path(named), "Correct ACTIVITYLOG_CONFIG, or unset it.")
    for path in _candidates(directory):
        file = read_toml(path, "Make it readable for this user, or move it away.")
        if file is not None:
            return file
    return None


def _candidates(directory: Path | None) -> Iterator[Path]:
    """Files that may hold settings, the nearest first."""
    try:
        start = directory or Path.cwd()
    except OSError:  # the working directory was deleted, or is closed to this user
        return
    for folder in (start, *start.parents):
        for name in ("activitylog.toml", "pyproject.toml"):
            if _is_file(folder / name):
                yield folder / name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # Python 3.13 and older raise this for a folder that is closed to this user
        return False
