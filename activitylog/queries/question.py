"""
A named question: its SQL file, read.

A file ``sql/NAME.sql`` begins with a head of comments; the rest is one ``SELECT`` with server-side parameters::

    -- title: Busiest actors
    -- answers: Who did most?
    -- group: who                                      which questions it stands among (GROUPS)
    -- kind: ranking                                   table, series (over time), ranking or heatmap
    -- x: actor                                        what a chart names (not for a table)
    -- y: events                                       and what it draws; of a heatmap the second axis
    -- z: events                                       what a heatmap draws
    -- costs: reads all rows of the range; a line that goes
    --   on is indented
    -- example: activitylog query top-actors
    -- param limit UInt64 = 20 : at most this many actors
    SELECT ... LIMIT {limit:UInt64}

Every parameter has a default, so every question can be asked as it is. A value never becomes part of the SQL.
The files are one statement each: ``clickhouse-client --queries-file FILE --param_limit 20 ...`` runs them, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal, cast, get_args

from activitylog.exceptions import QueryError
from activitylog.queries.values import check_of

Kind = Literal["table", "series", "ranking", "heatmap"]

#: The groups of questions, in the order in which they are listed, and what each is about.
GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "timelines": "one after the other",
        "who": "actors",
        "what": "events",
        "when": "hours and days",
        "trouble": "failures, denials and slowness",
        "sampling": "what counts are worth when not every event was kept",
        "quality": "is everything there, once?",
        "storage": "rows and bytes",
    }
)

_HEAD_LINE: Final = re.compile(r"-- (title|answers|group|kind|x|y|z|costs|example): (.+)")
_PARAMETER: Final = re.compile(r"-- param (\w+) (.+?) = (.*?) ?: (.+)")
_GOES_ON: Final = re.compile(r"--   (\S.*)")
#: What each kind's head names beside what all name.
_AXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"table": (), "series": ("x", "y"), "ranking": ("x", "y"), "heatmap": ("x", "y", "z")}
)


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
        group: one of :data:`GROUPS`.
        kind: how people look at the answer: a ``table``, a ``series`` over time, a ``ranking`` or a ``heatmap``.
        x, y, z: columns that name and measure what a chart draws (``z`` of a heatmap); empty where there is none.
        costs: what it reads, and how that grows.
        example: a command that asks it; empty where the name alone says it.
        sql: the whole file, its head included.
    """

    name: str
    title: str
    answers: str
    group: str
    kind: Kind
    x: str
    y: str
    z: str
    costs: str
    example: str
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
                    hint=near(name, known) + f"It has: {', '.join(known)}.",
                )
        return {name: self._value(parameter, given.get(name, "")) for name, parameter in known.items()}

    def _value(self, parameter: Parameter, given: Any) -> Any:
        check = check_of(parameter.type)
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
            f"There is no question {name!r}.", hint=near(name, known) + f"There are: {', '.join(known)}."
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
    for line in _head(sql):
        if found := _PARAMETER.fullmatch(line):
            parameters.append(Parameter(*found.groups()))
        elif found := _HEAD_LINE.fullmatch(line):
            head[found[1]] = found[2]
        else:
            raise ValueError(f"{name}: the line {line!r} is not one of a head")
    _check(name, head)
    return Question(
        name=name,
        title=head["title"],
        answers=head["answers"],
        group=head["group"],
        kind=cast("Kind", head["kind"]),
        x=head.get("x", ""),
        y=head.get("y", ""),
        z=head.get("z", ""),
        costs=head["costs"],
        example=head.get("example", ""),
        parameters=tuple(parameters),
        sql=sql,
    )


def _head(sql: str) -> Iterator[str]:
    """The lines of the head, each with what goes on behind it."""
    whole = ""
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if whole and (more := _GOES_ON.fullmatch(line)):
            whole += " " + more[1]
            continue
        if whole:
            yield whole
        whole = line
    if whole:
        yield whole


def _check(name: str, head: Mapping[str, str]) -> None:
    kind = head.get("kind", "")
    if kind not in get_args(Kind):
        raise ValueError(f"{name}: the kind {kind!r} is not table, series, ranking or heatmap")
    missing = {"title", "answers", "group", "costs", *_AXES[kind]} - head.keys()
    if missing:
        raise ValueError(f"{name}: the head lacks {', '.join(sorted(missing))}")
    if head["group"] not in GROUPS:
        raise ValueError(f"{name}: the group {head['group']!r} is not one of {', '.join(GROUPS)}")


def near(name: str, known: Mapping[str, Any]) -> str:
    """``Did you mean x? ``, or nothing when no name is near."""
    close = get_close_matches(name.replace("_", "-"), known, n=1) or get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}? " if close else ""
