"""
A named question: its SQL file, read.

A file ``sql/NAME.sql`` begins with a head of comments; the rest is one ``SELECT`` with server-side parameters::

    -- title: Busiest actors
    -- answers: Who did most?
    -- kind: ranking                                   table, series (over time) or ranking
    -- x: actor                                        what a chart names (not for a table)
    -- y: events                                       and what it draws
    -- param limit UInt64 = 20 : at most this many actors
    SELECT ... LIMIT {limit:UInt64}

Every parameter has a default, so every question can be asked as it is. A value never becomes part of the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from activitylog.exceptions import QueryError
from activitylog.queries.values import VALUE_OF_TYPE

Kind = Literal["table", "series", "ranking"]

_HEAD_LINE: Final = re.compile(r"-- (title|answers|kind|x|y): (.+)")
_PARAMETER: Final = re.compile(r"-- param (\w+) (.+?) = (.*?) ?: (.+)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    What can be given to a question.

    Attributes:
        type: of ClickHouse, as in ``{name:type}``.
        default: as one writes it; empty stands for what ``meaning`` says.
    """

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question that has a name.

    Attributes:
        answers: the question in words.
        kind: how people look at the answer: a ``table``, a ``series`` over time, or a ``ranking``.
        x, y: columns that name and measure what a chart draws; empty for a table.
        sql: the whole file, its head included.
    """

    name: str
    title: str
    answers: str
    kind: Kind
    x: str
    y: str
    parameters: tuple[Parameter, ...]
    sql: str

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """
        The values of all parameters, for the server.

        Args:
            given: by name; texts as people type them, or Python's own types. An empty text means the default.

        Raises:
            QueryError: an unknown name, or a value that is not of the parameter's type.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise QueryError(
                    f"The question {self.name!r} has no parameter {name!r}.",
                    hint=_near(name, known) + f"It has: {', '.join(known)}.",
                )
        return {name: self._value(parameter, given.get(name, "")) for name, parameter in known.items()}

    def _value(self, parameter: Parameter, given: Any) -> Any:
        check = VALUE_OF_TYPE[parameter.type]
        try:
            return check(parameter.default if given is None or given == "" else given)
        except ValueError as error:
            raise QueryError(
                f"The parameter {parameter.name!r} of {self.name!r} is {given!r}, which is {error}.",
                hint=f"{parameter.name}: {parameter.meaning}.",
            ) from None


@cache
def questions() -> Mapping[str, Question]:
    """All questions by name, in the order of their names."""
    paths = [path for path in files("activitylog.queries").joinpath("sql").iterdir() if path.name.endswith(".sql")]
    found = (parse(path.name.removesuffix(".sql"), path.read_text(encoding="utf-8")) for path in paths)
    return MappingProxyType({asked.name: asked for asked in sorted(found, key=lambda asked: asked.name)})


def question(name: str) -> Question:
    """
    The question of this name; ``_`` may stand for ``-``.

    Raises:
        QueryError: there is none; names those that are near.
    """
    known = questions()
    found = known.get(name.replace("_", "-"))
    if found is None:
        raise QueryError(
            f"There is no question {name!r}.", hint=_near(name, known) + f"There are: {', '.join(known)}."
        )
    return found


def parse(name: str, sql: str) -> Question:
    """
    Read a question's file.

    Raises:
        ValueError: the head is not as the top of this module says.
    """
    head: dict[str, str] = {}
    parameters = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if found := _PARAMETER.fullmatch(line):
            parameters.append(Parameter(*found.groups()))
        elif found := _HEAD_LINE.fullmatch(line):
            head[found[1]] = found[2]
        else:
            raise ValueError(f"{name}: the line {line!r} is not one of a head")
    kind = head.get("kind", "")
    if kind not in ("table", "series", "ranking"):
        raise ValueError(f"{name}: the kind {kind!r} is not table, series or ranking")
    missing = {"title", "answers", *(() if kind == "table" else ("x", "y"))} - head.keys()
    if missing:
        raise ValueError(f"{name}: the head lacks {', '.join(sorted(missing))}")
    return Question(
        name=name,
        title=head["title"],
        answers=head["answers"],
        kind=cast("Kind", kind),
        x=head.get("x", ""),
        y=head.get("y", ""),
        parameters=tuple(parameters),
        sql=sql,
    )


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name.replace("_", "-"), known, n=1) or get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}? " if near else ""
