"""
YAML into values with places, as the Collector's parser reads it: YAML 1.2 with octal numbers, and merge keys.

``yes`` and ``on`` are texts, a key that stands twice is an error, and ``a::b: 1`` is short for ``a: {b: 1}``.
PyYAML finds the nodes and their lines; what a plain scalar means is decided here.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from activitylog.collector.merging import merge_into
from activitylog.collector.value import Data, Place, Scalar, Value
from activitylog.exceptions import ConfigurationError

MAX_FILE_BYTES: Final = 1024 * 1024
#: Aliases may name the same node again and again: a small file can be a huge tree.
_MOST_VALUES: Final = 50_000
_DEEPEST: Final = 100
_NESTED: Final = "::"

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]{1,40}|0[oO][0-7_]{1,40}|0[bB][01_]{1,70}|[0-9][0-9_]{0,40})"
)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,3})?")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
#: What PyYAML quotes of its own: signs, and the names of its tokens.
_SIGN: Final = re.compile(r".\W{0,4}.|.<[a-z ]{1,40}>.")


class TooLargeError(ConfigurationError):
    """More than any configuration of a Collector has."""


def read_file(path: Path, shown: str) -> Value:
    """
    The values of a file.

    Args:
        path: of the file.
        shown: how messages call it.

    Raises:
        ConfigurationError: it cannot be read, or is no YAML; with the line, and never with what stands there.
    """
    return read_text(read_content(path, shown), shown)


def read_content(path: Path, shown: str) -> str:
    """
    The text of a file.

    Raises:
        ConfigurationError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{shown} cannot be read: {error.strerror or type(error).__name__}.", hint="Name a file that is there."
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise TooLargeError(f"{shown} has more than {MAX_FILE_BYTES:,} bytes.", hint=_IS_IT)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{shown} is not UTF-8.", hint=_IS_IT) from error


_IS_IT: Final = "Is it the configuration of a Collector?"


def read_text(text: str, shown: str, place: Place | None = None) -> Value:
    """
    The values of a text.

    Args:
        text: YAML; of several documents the first one, as the Collector.
        shown: how messages call it.
        place: of all its values; where they stand in the text by default.

    Raises:
        ConfigurationError: it is no YAML.
    """
    import yaml

    try:
        loader = _loader()(text)
        node = loader.get_node() if loader.check_node() else None
        return _Reader(shown, place).value(node, place or Place(shown, 1))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is quoted of the text may be a password: `password: *name` is an alias that is not defined.
        words = _QUOTED.sub(
            lambda quoted: quoted[0] if _SIGN.fullmatch(quoted[0]) else "'...'",
            error.problem or "it ends too early",
        )
        line = mark.line + 1 if mark else 1
        raise ConfigurationError(f"{shown}:{line} is no YAML: {words}.", hint=_YAML_HINT) from None
    except yaml.YAMLError:
        raise ConfigurationError(
            f"{shown} is no YAML: it has a character that may not be there.", hint=_YAML_HINT
        ) from None
    except RecursionError:
        raise _too_deep(shown) from None


_YAML_HINT: Final = "Quote values that begin with a sign, such as * or @ or {."


@cache
def _loader() -> Any:
    try:
        from yaml import SafeLoader
    except ImportError as error:
        raise ConfigurationError(
            "reading YAML needs PyYAML.", hint="pip install 'activitylog[cli]' brings it."
        ) from error

    class Loader(SafeLoader):
        """Leaves the meaning of plain scalars to us."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's

    return Loader


class _Reader:
    def __init__(self, shown: str, place: Place | None) -> None:
        self._shown = shown
        self._place = place
        self._values = 0

    def value(self, node: Any, place: Place, depth: int = 0) -> Value:
        self._values += 1
        if depth > _DEEPEST:
            raise _too_deep(self._shown)
        if self._values > _MOST_VALUES:
            raise TooLargeError(f"{self._shown} has more than {_MOST_VALUES:,} values.", hint=_IS_IT)
        return Value(self._data(node, depth), place)

    def _data(self, node: Any, depth: int) -> Data:
        if node is None:
            return None
        if node.id == "mapping":
            return self._mapping(node, depth)
        if node.id == "sequence":
            return tuple(self.value(item, self._of(item), depth + 1) for item in node.value)
        return plain(node.value) if node.style is None else str(node.value)

    def _mapping(self, node: Any, depth: int) -> dict[str, Value]:
        own: dict[str, Value] = {}
        inherited: dict[str, Value] = {}
        seen = set()
        for key, item in node.value:
            name = self._key(key)
            if name == "<<" and key.style is None:
                inherited |= self._inherited(item, depth)
                continue
            if name in seen:
                raise ConfigurationError(
                    f"{self._of(key)} has the key {name} again.",
                    hint="A Collector refuses a key that stands twice.",
                )
            seen.add(name)
            merge_into(own, self._nested(name, self.value(item, self._of(key), depth + 1)))
        return inherited | own

    def _inherited(self, node: Any, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for source in node.value if node.id == "sequence" else [node]:
            if source.id != "mapping":
                raise ConfigurationError(
                    f"{self._of(source)} has a << that names no mapping.", hint="Write <<: *name of a mapping."
                )
            value = self.value(source, self._of(source), depth + 1)
            for name, below in (value.data if isinstance(value.data, dict) else {}).items():
                found.setdefault(name, below)
        return found

    def _key(self, key: Any) -> str:
        if key.id != "scalar":
            raise ConfigurationError(
                f"{self._of(key)} has a key that is a {key.id}.", hint="Quote keys that have brackets or braces."
            )
        return str(key.value)

    def _nested(self, name: str, value: Value) -> dict[str, Value]:
        first, *rest = name.split(_NESTED)
        for part in reversed(rest):
            value = Value({part: value}, value.place)
        return {first: value}

    def _of(self, node: Any) -> Place:
        return self._place or Place(self._shown, node.start_mark.line + 1)


def plain(text: str) -> Scalar:
    """What an unquoted scalar means to the Collector."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _integer(text: str) -> int | str:
    digits = text.replace("_", "")
    unsigned = digits.lstrip("+-")
    # Go's ParseInt with base 0: a leading zero makes it octal.
    octal = len(unsigned) > 1 and unsigned.isdigit() and unsigned[0] == "0"
    try:
        return int(digits, 8 if octal else 0)
    except ValueError:
        return text


def _too_deep(shown: str) -> TooLargeError:
    return TooLargeError(f"{shown} is nested too deeply.", hint=_IS_IT)
