"""
What stands in ``${...}``: ``${env:NAME}``, ``${env:NAME:-default}``, ``${NAME}`` and ``${file:path}``.

A variable that is not set here may be set where the Collector runs, so its value is :class:`Unknown`; only a
default or the process's own environment makes it known. The order of replacement is the Collector's (confmap's
expand.go): innermost first, and again until nothing is left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from activitylog.collector.reading import TooLargeError, read_content, read_text
from activitylog.collector.value import Place, Unknown, Value
from activitylog.exceptions import ConfigurationError

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
#: Stands for a value that is not known while the text around it is expanded: private use characters.
_MARK: Final = re.compile("\ue0f0([0-9]{1,6})\ue0f1")
_MOST_ROUNDS: Final = 1000
_LONGEST: Final = 1024 * 1024
#: Of all texts together: characters that are looked at, and values that come out.
_MOST_CHARACTERS: Final = 20_000_000
_MOST_VALUES: Final = 200_000
_DEEPEST: Final = 20
_DOLLAR: Final = "Write $$ for a dollar sign, and ${env:NAME} for a variable."


@dataclass(slots=True)
class Expansion:
    """
    Expands the values of one configuration.

    Attributes:
        environ: the variables that are known.
        folder: where relative paths of ``${file:...}`` begin.
        characters: how many may still be looked at.
        values: how many may still come out.
    """

    environ: Mapping[str, str]
    folder: Path
    characters: int = _MOST_CHARACTERS
    values: int = _MOST_VALUES
    _unknown: list[str] = field(default_factory=list)
    _contents: dict[Path, str] = field(default_factory=dict)
    _files: dict[Path, Value] = field(default_factory=dict)

    def expand(self, value: Value, depth: int = 0) -> Value:
        """
        The value with everything expanded, and ``$$`` as ``$``.

        Raises:
            ConfigurationError: the Collector would refuse what stands in ``${...}``.
        """
        self.values -= 1
        if self.values < 0:
            raise TooLargeError(
                f"{value.place}: there are more than {_MOST_VALUES:,} values with what stands in ${{...}}.",
                hint="A variable or file is named too often.",
            )
        if depth > _DEEPEST and isinstance(value.data, str):
            raise _endless(value.place)
        if depth > 0:
            value = replace(value, is_expanded=True)
        if isinstance(value.data, dict):
            return replace(value, data={key: self.expand(below, depth) for key, below in value.data.items()})
        if isinstance(value.data, tuple):
            return replace(value, data=tuple(self.expand(below, depth) for below in value.data))
        return self._text(value.data, value, depth) if isinstance(value.data, str) else value

    def _text(self, text: str, value: Value, depth: int) -> Value:
        place, start = value.place, 0
        for _ in range(_MOST_ROUNDS):
            self.characters -= len(text) - start
            if len(text) > _LONGEST or self.characters < 0:
                break
            start, reference = _next_reference(text, start)
            if not reference:
                return self._done(text, value)
            value = replace(value, is_expanded=True)
            found = self._retrieved(reference[2:-1], place, reference == text)
            if reference == text:
                return self.expand(found, depth + 1)
            # The Collector replaces all of them, also one that is escaped and was passed over.
            start = 0 if reference in text[:start] else start
            text = text.replace(reference, self._as_text(found))
        raise _endless(place)

    def _done(self, text: str, value: Value) -> Value:
        mark = _MARK.search(text)
        if mark is not None and int(mark[1]) < len(self._unknown):
            return replace(value, data=Unknown(self._unknown[int(mark[1])]), text=None)
        text = text.replace("$$", "$")
        return replace(value, data=text, text=None if value.text is None else text)

    def _as_text(self, found: Value) -> str:
        if isinstance(found.data, Unknown):
            self._unknown.append(found.data.what)
            return f"\ue0f0{len(self._unknown) - 1}\ue0f1"
        return found.text or ""

    def _retrieved(self, uri: str, place: Place, is_alone: bool) -> Value:
        """What a reference gives: as YAML where it is alone, else as a text."""
        scheme, _, rest = ("env", "", uri) if ":" not in uri else _split(uri, place)
        if "$" in rest:
            raise ConfigurationError(f"{place} has a $ inside ${{...}}.", hint=_DOLLAR)
        if scheme == "env":
            return self._variable(rest, place, is_alone)
        if scheme == "file":
            return self._file(rest, place, is_alone)
        return Value(Unknown(f"what ${{{scheme}:...}} gives"), place)

    def _variable(self, rest: str, place: Place, is_alone: bool) -> Value:
        name, has_default, default = rest.partition(":-")
        if _MARK.search(name):
            return Value(Unknown(f"the variable whose name stands at {place}"), place)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{place} has a ${{...}} that names no variable.", hint=_DOLLAR)
        if name in self.environ:
            text = self.environ[name]
            return _parsed(text, place, is_alone) if text else Value(None, place, "")
        if has_default:
            return _parsed(default, place, is_alone)
        return Value(Unknown(f"the variable {name}, which is not set here"), place)

    def _file(self, rest: str, place: Place, is_alone: bool) -> Value:
        if _MARK.search(rest) or "\0" in rest:
            return Value(Unknown(f"the file whose name stands at {place}"), place)
        path = self.folder / rest
        if not path.is_file():
            return Value(Unknown(f"the file {rest}, which is not there"), place)
        if path not in self._contents:
            self._contents[path] = read_content(path, rest)
        content = self._contents[path]
        if not is_alone:
            return Value(content, Place(rest, 1), content)
        if path not in self._files:
            self._files[path] = _read(content, rest, None)
        return self._files[path]


def _split(uri: str, place: Place) -> tuple[str, str, str]:
    parts = _SCHEME.fullmatch(uri)
    if parts is None:
        raise ConfigurationError(f"{place} has a ${{...}} that names no variable.", hint=_DOLLAR)
    return parts[1], ":", parts[2]


def _parsed(text: str, place: Place, is_alone: bool) -> Value:
    """A variable's text, as YAML where nothing stands around it."""
    if not is_alone or _MARK.search(text) or not text:
        return Value(text, place, text)
    return _read(text, place.file, place)


def _read(text: str, shown: str, place: Place | None) -> Value:
    """A text as YAML, and what is none as a text, as the Collector does."""
    try:
        value = read_text(text, shown, place)
    except TooLargeError:
        raise
    except ConfigurationError:
        return Value(text, place or Place(shown, 1), text)
    return replace(value, text=text)


def _next_reference(text: str, start: int) -> tuple[int, str]:
    """
    The first innermost ``${...}`` that is not escaped as ``$${...}``; empty when there is none.

    Returns:
        Where to go on after it is replaced, too: everything before holds none.
    """
    while (close := text.find("}", start)) >= 0:
        begin = text.rfind("${", start, close)
        if begin >= 0:
            dollars = begin - len(text[start:begin].rstrip("$")) - start
            if dollars % 2 == 0:
                return start, text[begin : close + 1]
        start = close + 1
    return start, ""


def _endless(place: Place) -> ConfigurationError:
    return ConfigurationError(
        f"{place} has a ${{...}} that does not come to an end.", hint="A variable or file must not name itself."
    )
