"""
Which rows a statement changed, told by the statement itself.

PostgreSQL and SQLite can: ``UPDATE ... RETURNING "id"`` names the rows that were changed, those and no others,
with no query more and nothing locked that would not be locked anyway. Django's ORM does not ask for it, so it is
asked for at the end of the statement, by ``connection.execute_wrapper``, Django's hook for those who look at
statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.db import connections
from django.db.models import Model

from activitylog import config

#: Ids that are kept of one operation; of more rows than that only the number is told.
MAX_IDS: Final = 100_000
_RETURNING: Final = " RETURNING "
_BEGINNINGS: Final = {
    "UPDATE": ("UPDATE {table} SET",),
    "DELETE": ("DELETE FROM {table}",),
    "INSERT": ("INSERT INTO {table} ", "INSERT OR IGNORE INTO {table} "),
}


@dataclass(slots=True)
class Rows:
    """
    Rows that an operation changed.

    Attributes:
        count: how many.
        ids: their primary keys, in no order; None when they are not known, or are more than :data:`MAX_IDS`.
    """

    count: int
    ids: list[Any] | None

    @classmethod
    def of(cls, ids: Iterable[Any]) -> Rows:
        """The rows of these ids; None among them means that the database did not tell."""
        given = list(ids)
        if None in given:
            return cls(len(given), None)
        known = list(dict.fromkeys(given))
        return cls(len(known), known if len(known) <= MAX_IDS else None)


def tells_rows(using: str, model: type[Model]) -> bool:
    """Whether statements about a model can be asked for rows; one that Django does not manage may be a view."""
    connection = connections[using]
    return (
        connection.vendor in ("postgresql", "sqlite")
        and connection.features.can_return_columns_from_insert
        and all(one._meta.managed for one in tables_of(model))
    )


def tables_of(model: type[Model]) -> list[type[Model]]:
    """The model, and those of its parents (multi-table inheritance) whose rows have the same primary keys."""
    concrete: type[Model] = model._meta.concrete_model or model
    found = [concrete]
    for parent in concrete._meta.all_parents:
        path = concrete._meta.get_path_to_parent(parent)
        if not parent._meta.proxy and path and all(step.join_field.primary_key for step in path):
            found.append(parent)
    return found


class _Question(NamedTuple):
    """How one kind of statement begins, what it is to end with, and what makes a key of what it answers."""

    beginning: str
    ending: str
    read: Callable[[Iterable[Any]], Any]


@dataclass(slots=True)
class _Asker:
    """One who wants to know, and what was answered so far."""

    using: str
    questions: tuple[_Question, ...]
    count: int = 0
    failed: bool = False
    found: dict[Any, None] = field(default_factory=dict)

    def question(self, sql: str) -> _Question | None:
        return next((question for question in self.questions if sql.startswith(question.beginning)), None)

    def take(self, pk: Any) -> None:
        if pk not in self.found:
            self.count += 1
            if self.count <= MAX_IDS:
                self.found[pk] = None

    def rows(self) -> Rows | None:
        if self.failed:
            return None
        return Rows(self.count, list(self.found) if self.count <= MAX_IDS else None)


_asking: ContextVar[tuple[_Asker, ...]] = ContextVar("activitylog_asking", default=())


@contextmanager
def told_rows(
    using: str, model: type[Model], verb: str, *, parents: bool = True
) -> Iterator[Callable[[], Rows | None]]:
    """
    Ask the statements of a block which rows of the model they change; :func:`tells_rows` says whether they can.

    Args:
        using: alias of the database.
        model: whose rows are meant.
        verb: ``UPDATE``, ``DELETE`` or ``INSERT``.
        parents: also ask statements about the tables of its parents, which have the same keys.

    Yields:
        What returns the rows, once the block is over; None when the answer could not be read.
    """
    mine = _asker(using, model, verb, parents)
    token = _asking.set((*_asking.get(), mine))
    try:
        with connections[using].execute_wrapper(_ask):
            yield mine.rows
    finally:
        _asking.reset(token)


def _asker(using: str, model: type[Model], verb: str, parents: bool) -> _Asker:
    models = tables_of(model) if parents else tables_of(model)[:1]
    try:
        return _Asker(using, tuple(question for one in models for question in _questions(using, one, verb)))
    except Exception as error:  # noqa: BLE001 - the application's field may raise anything; the statement goes on
        config.fail(error, "activitylog.integrations.django.bulk")
        return _Asker(using, (), failed=True)


def _questions(using: str, model: type[Model], verb: str) -> Iterator[_Question]:
    quote = connections[using].ops.quote_name
    ending = _RETURNING + ", ".join(quote(str(pk.column)) for pk in model._meta.pk_fields)
    read = _reader(using, model)
    for beginning in _BEGINNINGS[verb]:
        yield _Question(beginning.format(table=quote(model._meta.db_table)), ending, read)


def _reader(using: str, model: type[Model]) -> Callable[[Iterable[Any]], Any]:
    """What makes a primary key of the columns of one answer, as Django does of those of a query."""
    connection = connections[using]
    columns = []
    for pk in model._meta.pk_fields:
        column = pk.get_col(model._meta.db_table)
        converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        columns.append((column, converters))

    def read(row: Iterable[Any]) -> Any:
        values = []
        for value, (column, converters) in zip(row, columns, strict=True):
            for convert in converters:
                value = convert(value, column, connection)  # noqa: PLW2901 - one converter after the other
            values.append(value)
        return values[0] if len(values) == 1 else tuple(values)

    return read


def _ask(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """
    An execute wrapper: has a statement say which rows it changes, and tells all who ask.

    Of several in each other the first to see the statement asks.
    """
    using = context["connection"].alias
    asking = [(one, question) for one in _asking.get() if one.using == using and (question := one.question(sql))]
    if many or not asking or _RETURNING in sql:
        return execute(sql, params, many, context)
    question = asking[0][1]
    result = execute(sql + question.ending, params, many, context)
    try:
        for row in context["cursor"]:
            pk = question.read(row)
            for one, _ in asking:
                one.take(pk)
    except Exception as error:  # noqa: BLE001 - the rows are changed; what the statement says of them is counted
        for one, _ in asking:
            one.failed = True
        config.fail(error, "activitylog.integrations.django.bulk")
    return result
