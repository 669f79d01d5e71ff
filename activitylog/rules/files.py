"""
Rules in a file, and what notices that it has changed.

A file of rules holds ``[[rules]]`` and nothing else, so that a misspelled header is found. The rules of an
``activitylog.toml``, or of ``[tool.activitylog]`` in a ``pyproject.toml``, can be read in the same way.

:class:`RulesFile` has no thread: something polls it. Replacing the file by a rename is always safe; a file that
is written in place is read once it can be parsed, which may be before its writer has finished.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from activitylog.exceptions import ConfigurationError
from activitylog.rules.parsing import parse_rules
from activitylog.rules.rule import Rule
from activitylog.toml_file import TomlFile, is_pyproject, lines_of_tables, not_utf8, parse_toml

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
#: A file that was changed so recently may change again within the same tick of the file system's clock.
_RECENT_NS: Final = 2_000_000_000
_HINT: Final = "The rules that were in force stay so; put the file back, or correct rules_file."


def load_rules(path: str | os.PathLike[str]) -> tuple[Rule, ...]:
    """
    The checked rules of a file.

    Raises:
        ConfigurationError: it cannot be read, is not TOML, or has a rule that cannot be used; with the line.
    """
    return RulesFile(path).load()


def rules_of(file: TomlFile, tables: Any) -> tuple[Rule, ...]:
    """
    Check the ``tables`` of a file, with their lines in messages.

    Raises:
        ConfigurationError: a rule that cannot be used.
    """
    lines = lines_of_tables(file, "rules")
    known = isinstance(tables, list) and len(lines) == len(tables)
    return parse_rules(
        tables, place=lambda index: f"line {lines[index]} of {file.path}" if known else str(file.path)
    )


class RulesFile:
    """
    A file of rules that may change while it is in use. For one thread at a time.

    Args:
        path: of the file; a link is followed each time.
        clock: wall time in nanoseconds.

    Attributes:
        problem: what is wrong with the file as it is now; None when its rules are those handed out last.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], int] = time.time_ns) -> None:
        self.path = Path(path)
        self.problem: str | None = None
        self._clock = clock
        self._identity: tuple[int, ...] | None = None
        self._seen = ""
        self._in_force = ""

    def load(self) -> tuple[Rule, ...]:
        """
        The rules that the file holds now.

        Raises:
            ConfigurationError: it cannot be read or used.
        """
        self._identity, self._seen, self._in_force = None, "", ""
        rules = self.changed()
        assert rules is not None  # noqa: S101 - nothing was seen before: rules or an error
        return rules

    def changed(self) -> tuple[Rule, ...] | None:
        """
        The new rules when the file has other content than before, else None. Cheap when it was not touched.

        Raises:
            ConfigurationError: it cannot be read or used; raised once for each content, so that it can be logged.
        """
        content: bytes | None = b""
        failure: ConfigurationError | None = None
        try:
            content = self._touched()
        except OSError as error:
            failure = ConfigurationError(f"{self.path} cannot be read: {error.strerror or error}.", hint=_HINT)
        except ConfigurationError as error:
            failure = error
        if content is None:
            return None
        seen = str(failure) if failure else hashlib.blake2b(content).hexdigest()
        if seen == self._seen:
            return None
        self._seen = seen
        return self._read(content, seen, failure)

    def _read(self, content: bytes, seen: str, failure: ConfigurationError | None) -> tuple[Rule, ...] | None:
        """The rules in a content that was not there at the last look."""
        if failure is None and seen == self._in_force:
            self.problem = None
            return None
        if failure is None:
            try:
                rules = _parsed(content, self.path)
                self._in_force, self.problem = seen, None
                return rules
            except ConfigurationError as error:
                failure = error
        self.problem = str(failure)
        # Anew, without a context: its frames hold the values of the file.
        raise ConfigurationError(failure.message, hint=failure.hint)

    def _touched(self) -> bytes | None:
        """The content, unless the file is the one that was read last."""
        identity = self._identity
        self._identity = None
        status = self.path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would wait for its writer
            raise ConfigurationError(f"{self.path} is not a file.", hint=_HINT)
        if identity == _identity_of(status):
            self._identity = identity
            return None
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigurationError(f"{self.path} has more than {MAX_FILE_BYTES:,} bytes.", hint=_HINT)
        if self._clock() - status.st_mtime_ns >= _RECENT_NS:
            self._identity = _identity_of(status)
        return content


def _identity_of(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _parsed(content: bytes, path: Path) -> tuple[Rule, ...]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(not_utf8(path, error), hint="Correct the file.") from None
    file = parse_toml(text, path)
    table = {} if file is None else file.table
    if path.name != "activitylog.toml" and not is_pyproject(path):
        for key in table:
            if key != "rules":
                near = difflib.get_close_matches(key, ["rules"], n=1)
                hint = "Did you mean [[rules]]?" if near else "A file of rules holds [[rules]] and nothing else."
                raise ConfigurationError(f"{path} has the key {key[:40]!r}.", hint=hint)
    if file is None or "rules" not in table:
        raise ConfigurationError(
            f"{path} has no [[rules]].", hint="Write [[rules]] above each rule, or rules = [] for none."
        )
    return rules_of(file, table["rules"])
