"""
Statements of a ``transform`` processor, as far as they can be read with certainty.

OTTL is not parsed here: a statement is a call with a target, texts in quotes, and perhaps a condition. What is not
recognised is no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activitylog.collector.pipelines import Component
from activitylog.collector.value import Setting, WrongValueError

_CALL: Final = re.compile(
    r"\s*([a-z_]{1,40})\(\s*([a-z_.]{1,80})(?:\[\"([^\"]{1,300})\"\])?\s*(?:,(.*))?", re.DOTALL
)
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBER: Final = re.compile(r"\s*([0-9]{1,15})\s*[,)]")
_WHERE: Final = re.compile(r"\)\s*where\s(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """
    A statement for log records.

    Attributes:
        setting: where it stands.
        context: of its group; empty when paths say it themselves.
        conditional: whether its group has conditions.
    """

    setting: Setting
    text: str
    context: str = ""
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """
    A statement that changes log records.

    Attributes:
        function: such as ``delete_key``.
        target: below the log record: ``attributes``, ``event_name``.
        key: of the target, when one is meant: ``set(log.attributes["user.id"], ...)``.
        texts: the texts in its arguments.
        number: its second argument, when that is a number.
        where: its own condition; empty without one.
    """

    statement: Statement
    function: str
    target: str
    key: str
    texts: tuple[str, ...]
    number: int | None
    where: str

    @property
    def is_conditional(self) -> bool:
        """Whether it changes some records only."""
        return self.statement.conditional or bool(self.where)


def statements_of(component: Component) -> list[Statement]:
    """
    The statements for logs of a processor; none of other processors.

    Raises:
        NotKnown: they depend on something that is not there.
    """
    if component.type != "transform":
        return []
    try:
        return list(_statements(component.setting.at("log_statements")))
    except WrongValueError:
        return []  # the check of the processor itself says so


def _statements(listed: Setting) -> Iterator[Statement]:
    for element in listed.elements():
        if element.kind == "a mapping":
            context = element.at("context").text().lower()
            conditional = bool(element.at("conditions").elements())
            for setting, text in element.at("statements").texts():
                yield Statement(setting, text, context, conditional)
        else:
            yield Statement(element, element.text())


def calls_of(component: Component) -> Iterator[Call]:
    """The calls among a processor's statements that change the log record itself."""
    for statement in statements_of(component):
        call = _call(statement)
        if call is not None:
            yield call


def _call(statement: Statement) -> Call | None:
    found = _CALL.match(statement.text)
    if found is None:
        return None
    function, target, key, rest = found.group(1, 2, 3, 4)
    if target.startswith("log."):
        target = target.removeprefix("log.")
    elif statement.context != "log":
        return None
    rest = rest or ""
    end = _start_of_where(rest)
    arguments = rest[:end]
    number = _NUMBER.match(arguments)
    return Call(
        statement,
        function,
        target,
        key or "",
        tuple(re.sub(r"\\(.)", r"\1", text) for text in _TEXT.findall(arguments)),
        int(number[1]) if number else None,
        rest[end:],
    )


def _start_of_where(rest: str) -> int:
    """Where a condition begins, texts in quotes left aside; the end without one."""
    blank = _TEXT.sub(lambda text: '"' + "_" * (len(text[0]) - 2) + '"', rest)
    where = _WHERE.search(blank)
    return where.start(1) if where else len(rest)
