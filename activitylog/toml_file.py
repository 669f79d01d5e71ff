"""TOML files of settings and of rules: read, with what is wrong in words and no content in the errors."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from activitylog.exceptions import ConfigurationError, shown


class TomlFile(NamedTuple):
    """A file: where it is, what it says (below ``[tool.activitylog]`` in a ``pyproject.toml``), its text."""

    path: Path
    table: Mapping[str, Any]
    text: str


def read_toml(path: Path, hint: str) -> TomlFile | None:
    """
    Read a file of settings.

    Args:
        path: any file; in a ``pyproject.toml`` only ``[tool.activitylog]`` counts.
        hint: what to do when it cannot be read.

    Returns:
        None for a ``pyproject.toml`` that does not speak of activitylog.

    Raises:
        ConfigurationError: it cannot be read, or is not TOML.
    """
    # The errors are made outside the except: a decoder's error holds the whole file, with its passwords.
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"The settings file {str(path)!r} cannot be read: {error.strerror}."
    except UnicodeDecodeError as error:
        problem, hint = not_utf8(path, error), "Correct the file."
    else:
        return parse_toml(text, path)
    raise ConfigurationError(problem, hint=hint)


def not_utf8(path: Path, error: UnicodeDecodeError) -> str:
    """What is wrong with a file that is not UTF-8."""
    return f"{path} is not TOML: byte {error.start} is not UTF-8."


def parse_toml(text: str, path: Path) -> TomlFile | None:
    """
    The same for a text that was read; ``path`` says what it is.

    Raises:
        ConfigurationError: it is not TOML; with the line.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problem = f"{path} is not TOML: {error}."
    else:
        section = _section(table, path)
        return None if section is None else TomlFile(path, section, text)
    raise ConfigurationError(problem, hint="Correct the file.")


def is_pyproject(path: Path) -> bool:
    """Whether a file belongs to others, too."""
    return path.name == "pyproject.toml"


def _section(table: Any, path: Path) -> Mapping[str, Any] | None:
    if not is_pyproject(path):
        return dict(table)
    for name, title in (("tool", "tool"), ("activitylog", "tool.activitylog")):
        if name not in table:
            return None
        table = table[name]
        if not isinstance(table, dict):
            raise ConfigurationError(
                f"{title} in {path} is not a table, but {shown(table)}.",
                hint="Write the settings below a line [tool.activitylog].",
            )
    return dict(table)


def lines_of_tables(file: TomlFile, key: str) -> list[int]:
    """The lines, from 1, of the headers ``[[key]]``, as far as they can be told without parsing."""
    name = r"\s*\.\s*".join(("tool", "activitylog", key) if is_pyproject(file.path) else (key,))
    header = re.compile(rf"\s*\[\[\s*{name}\s*\]\]\s*(#.*)?")
    return [number for number, line in enumerate(file.text.split("\n"), 1) if header.fullmatch(line.rstrip("\r"))]
