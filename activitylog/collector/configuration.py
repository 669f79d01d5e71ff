"""The configuration of a Collector: read, merged and expanded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from activitylog.collector.expansion import Expansion
from activitylog.collector.merging import merge
from activitylog.collector.reading import read_file, read_text
from activitylog.collector.value import Setting, Value
from activitylog.exceptions import ConfigurationError

SECTIONS: Final = ("receivers", "processors", "exporters", "connectors", "extensions", "service")


def read(
    files: Sequence[str | os.PathLike[str]],
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Setting:
    """
    Read files as the Collector reads several ``--config``: each one over those before it.

    Args:
        files: at least one.
        environ: the variables that are known; this process's by default.
        folder: where relative paths in ``${file:...}`` begin; the working directory by default.

    Returns:
        The top of the configuration.

    Raises:
        ConfigurationError: a file cannot be read, is no YAML, or is no configuration of a Collector.
    """
    return _configuration(
        [(os.fspath(file), read_file(Path(file), os.fspath(file))) for file in files], environ, folder
    )


def read_texts(
    *texts: tuple[str, str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Setting:
    """As :func:`read`, for pairs of a name and the text that a file of this name would have."""
    return _configuration([(name, read_text(text, name)) for name, text in texts], environ, folder)


def _configuration(
    values: Sequence[tuple[str, Value]], environ: Mapping[str, str] | None, folder: Path | None
) -> Setting:
    if not values:
        raise ConfigurationError("there is no file to read.", hint="Name the files that the Collector is given.")
    whole: Value | None = None
    for name, value in values:
        if value.data is None:  # an empty file, or one of comments only
            value = Value({}, value.place)  # noqa: PLW2901 - the same value, as the Collector takes it
        if not isinstance(value.data, dict):
            raise _no_configuration(name)
        whole = value if whole is None else merge(whole, value)
    assert whole is not None  # noqa: S101 - there is a file
    if not isinstance(whole.data, dict) or not any(section in whole.data for section in SECTIONS):
        raise _no_configuration(", ".join(name for name, _ in values))
    expansion = Expansion(os.environ if environ is None else environ, folder or Path())
    try:
        expanded = expansion.expand(whole)
    except RecursionError:
        raise ConfigurationError(f"{values[0][0]} is nested too deeply.", hint="Is it a Collector's?") from None
    return Setting((), expanded, expanded.place)


def _no_configuration(names: str) -> ConfigurationError:
    return ConfigurationError(
        f"{names}: this is no configuration of a Collector.",
        hint=f"It has keys such as {', '.join(SECTIONS[:3])} and {SECTIONS[-1]}.",
    )
