"""
A configuration as a tree: every value knows the file and the line that it stands in.

A value that depends on an environment variable which is not set here is :class:`Unknown`. Reading it as a number
or a text raises :class:`NotKnown`, so that no check can take a guess for a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from activitylog.collector.durations import seconds_of
from activitylog.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written; ``line`` counts from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known here, and what it depends on, such as ``the variable CLICKHOUSE_URL``."""

    what: str


Scalar: TypeAlias = str | int | float | bool | None
Data: TypeAlias = "Scalar | Unknown | dict[str, Value] | tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class Value:
    """
    Something that is written in a file.

    Attributes:
        data: what YAML makes of it.
        place: where its key stands; of an item of a list, the item.
        text: the text behind ``data`` when it came out of ``${...}``: a setting that is a text takes this.
        is_expanded: whether any of it came out of ``${...}``, and so may be a secret.
    """

    data: Data
    place: Place
    text: str | None = None
    is_expanded: bool = False


class NotKnown(Exception):  # noqa: N818 - not an error
    """A value was asked for that depends on something which is not there when this runs."""

    def __init__(self, setting: Setting, what: str) -> None:
        super().__init__(f"{setting} is not known here: it depends on {what}")
        self.setting = setting
        self.what = what


class NotJudged(NotKnown):
    """A value that is known, and that nothing can be said of."""

    def __init__(self, setting: Setting, what: str) -> None:
        super().__init__(setting, what)
        self.args = (f"{setting} is not judged: {what}",)


class WrongValueError(ConfigurationError):
    """A value of a kind that the Collector refuses, and so does not start."""

    def __init__(self, setting: Setting, expected: str) -> None:
        super().__init__(
            f"{setting}: expected {expected}, got {setting.kind}.",
            hint="A Collector does not start with this; `otelcol validate --config FILE` says what it expects.",
        )
        self.setting = setting
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Setting:
    """
    A place in a configuration, whether something is written there or not.

    Attributes:
        path: keys from the top; items of lists are ``[0]``, ``[1]``.
        value: what is written there; None when nothing is.
        near: where it is written, else the nearest place above it that is.
    """

    path: tuple[str, ...]
    value: Value | None
    near: Place

    def __str__(self) -> str:
        return f"{self.near} {self.name}"

    @property
    def name(self) -> str:
        """``exporters.clickhouse.endpoint``."""
        return ".".join(self.path).replace(".[", "[")

    @property
    def is_set(self) -> bool:
        """Whether the key is there, even without a value."""
        return self.value is not None

    @property
    def is_known(self) -> bool:
        """Whether it does not depend on something that is not there."""
        return self.value is None or not isinstance(self.value.data, Unknown)

    @property
    def is_expanded(self) -> bool:
        """Whether it came out of ``${...}``, and must not be shown."""
        return self.value is not None and self.value.is_expanded

    @property
    def kind(self) -> str:
        """The kind of its value, for messages: never the value, which may be a secret."""
        data = None if self.value is None else self.value.data
        if isinstance(data, Unknown):
            return "a value that is not known"
        if data is None:
            return "nothing"
        if isinstance(data, bool):
            return "true or false"
        if isinstance(data, (int, float)):
            return "a number"
        if isinstance(data, str):
            return "a text"
        return "a mapping" if isinstance(data, dict) else "a list"

    def at(self, *keys: str) -> Setting:
        """The setting below this one; of what is not there, too."""
        found = self
        for key in keys:
            found = found._below(key)
        return found

    def items(self) -> list[tuple[str, Setting]]:
        """
        Keys and settings of a mapping, in order; none when nothing is written.

        Raises:
            NotKnown: it depends on something that is not there.
            WrongValueError: it is no mapping.
        """
        return [(key, self._below(key)) for key in self._mapping()]

    def elements(self) -> list[Setting]:
        """
        Items of a list; none when nothing is written.

        Raises:
            NotKnown, WrongValueError: as for :meth:`items`.
        """
        data = self._data()
        if data is None:
            return []
        if not isinstance(data, tuple):
            raise WrongValueError(self, "a list")
        return [Setting((*self.path, f"[{index}]"), value, value.place) for index, value in enumerate(data)]

    def flag(self, default: bool) -> bool:
        """
        True or false. A key without a value is false, as it is to the Collector.

        Raises:
            NotKnown, WrongValueError: as for :meth:`items`.
        """
        data = self._data()
        if not self.is_set:
            return default
        if data is not None and not isinstance(data, bool):
            raise WrongValueError(self, "true or false")
        return bool(data)

    def number(self, default: float) -> float:
        """
        A number; 0 for a key without a value.

        Raises:
            NotKnown, WrongValueError: as for :meth:`items`.
        """
        data = self._data()
        if not self.is_set:
            return default
        if data is None:
            return 0
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            raise WrongValueError(self, "a number")
        return data

    def text(self, default: str = "") -> str:
        """
        A text; an empty one for a key without a value.

        Raises:
            NotKnown, WrongValueError: as for :meth:`items`.
        """
        data = self._data()
        if self.value is None:
            return default
        if self.value.text is not None:
            return self.value.text
        if data is None:
            return ""
        if not isinstance(data, str):
            raise WrongValueError(self, "a text")
        return data

    def seconds(self, default: float) -> float:
        """
        A duration in seconds: ``1m30s``, or a number of nanoseconds.

        Raises:
            NotKnown, WrongValueError: as for :meth:`items`.
        """
        data = self._data()
        if not self.is_set:
            return default
        if isinstance(data, str):
            seconds = seconds_of(data)
            if seconds is None:
                raise WrongValueError(self, "a duration such as 30s")
            return seconds
        if data is not None and (isinstance(data, bool) or not isinstance(data, (int, float))):
            raise WrongValueError(self, "a duration such as 30s")
        return (data or 0) / 1e9

    def texts(self) -> list[tuple[Setting, str]]:
        """
        A list of texts with their places.

        Raises:
            NotKnown, WrongValueError: as for :meth:`items`.
        """
        return [(setting, setting.text()) for setting in self.elements()]

    def _data(self) -> Scalar | dict[str, Value] | tuple[Value, ...]:
        data = None if self.value is None else self.value.data
        if isinstance(data, Unknown):
            raise NotKnown(self, data.what)
        return data

    def _mapping(self) -> Mapping[str, Value]:
        data = self._data()
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise WrongValueError(self, "a mapping")
        return data

    def _below(self, key: str) -> Setting:
        path = (*self.path, key)
        if not self.is_known:
            return Setting(path, self.value, self.near)
        value = self._mapping().get(key)
        return Setting(path, value, self.near if value is None else value.place)
