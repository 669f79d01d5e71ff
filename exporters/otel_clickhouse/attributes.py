"""
The attributes of n records, sorted into typed columns and maps. The hot part of the encoder.

Works by column, not by record: each attribute that has a column is taken out of all records at once, and what
is left is the map. So most checks ("all of them are texts") run once for thousands of values, in C; only values
that need a closer look are looked at one by one. The rules are those of :mod:`otel_clickhouse.mapping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from opentelemetry.attributes import BoundedAttributes

from otel_clickhouse.anyvalue import as_text, without_surrogates
from otel_clickhouse.layout import Layout, Owner, Rival

Given = Mapping[str, Any]


def attribute_columns(
    batch: Sequence[Given | None], layout: Layout
) -> tuple[dict[str, list[Any]], list[dict[str, str]]]:
    """
    Sort the attributes of n records.

    Returns:
        The typed columns by name, each with n values; and n maps of the other attributes, keys sorted.

    Raises:
        Exception: an attribute's value has a ``__str__`` that raises.
    """
    left = [given.copy() if type(given) is dict else _copy(given) for given in batch]
    names: set[str] = set().union(*left)
    columns: dict[str, list[Any]] = {}
    for owner in layout.owners:
        if owner.attribute in names:
            columns[owner.column] = _owned_column(owner, _take(owner.attribute, left), left)
        else:
            columns[owner.column] = [owner.default] * len(left)
    if layout.rivals:
        columns.update(_shared_columns(layout.rivals, left))
    for name in layout.text_columns:
        columns[name] = clean_texts(columns[name])
    return columns, _maps(left)


def clean_texts(column: list[str]) -> list[str]:
    """
    The column, free of surrogates.

    Raises:
        TypeError: a value is not a text.
    """
    return column if _is_clean(column) else [without_surrogates(text) for text in column]


def map_of_texts(attributes: Given | None) -> dict[str, str]:
    """One map of attributes as texts: keys sorted, free of surrogates, without those that are None."""
    return _maps([_copy(attributes)])[0]


def _copy(given: Given | None) -> dict[str, Any]:
    if not given:
        return {}
    # BoundedAttributes would look up key by key; its copy() is the plain dict.
    return given.copy() if type(given) in (dict, BoundedAttributes) else dict(given)  # type: ignore[attr-defined]


def _take(attribute: str, left: list[dict[str, Any]]) -> list[Any]:
    """Take the attribute out of all records; None where it is absent."""
    return [*map(dict.pop, left, repeat(attribute), repeat(None))]


def _owned_column(owner: Owner, values: list[Any], left: list[dict[str, Any]]) -> list[Any]:
    """The column of an attribute that shares it with none. What it cannot print back returns to the map."""
    column = _exact_column(owner, values)
    if column is not None:
        return column
    column = [owner.default] * len(values)
    for row, value in enumerate(values):
        if value is None:
            continue
        held, exact = owner.holder.one(value)
        if held is not None and held != owner.default:
            column[row] = held
            if exact:
                continue
        left[row][owner.attribute] = value
    return column


def _exact_column(owner: Owner | Rival, values: list[Any]) -> list[Any] | None:
    """The column, if it prints back every value and none is its default; else None."""
    absent = values.count(None)
    if absent == len(values):
        return [owner.default] * absent
    present = [value for value in values if value is not None] if absent else values
    held = owner.holder.all(present)
    if held is None or owner.default in held:
        return None
    if not absent:
        return held
    following = iter(held)
    return [owner.default if value is None else next(following) for value in values]


def _shared_columns(rivals: Sequence[Rival], left: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Columns that several attributes may take, or settle by implication."""
    columns = {rival.column: [rival.default] * len(left) for rival in rivals}
    taken = [(rival, _take(rival.attribute, left)) for rival in rivals]
    active = [(rival, values) for rival, values in taken if values.count(None) < len(values)]
    if len(active) == 1 and _fill_alone(*active[0], columns):
        return columns
    competitors = [rival for rival, _ in active]
    for row, values in enumerate(zip(*(values for _, values in active), strict=True)):
        _settle(competitors, values, row, columns, left[row])
    return columns


def _fill_alone(rival: Rival, values: list[Any], columns: dict[str, list[Any]]) -> bool:
    """Fill the columns of an attribute whose rivals are absent; False where its values need a closer look."""
    column = _exact_column(rival, values) if rival.plain_when_alone and "" not in values else None
    if column is None:
        return False
    columns[rival.column] = column
    for implied, text in rival.implies:
        default = columns[implied][0]
        columns[implied] = [default if value is None else text for value in values]
    return True


def _settle(
    rivals: Sequence[Rival],
    values: Sequence[Any],
    row: int,
    columns: Mapping[str, list[Any]],
    left: dict[str, Any],
) -> None:
    """Give the shared columns of one row to the first attribute that is present; what else there is stays left."""
    taken: set[str] = set()
    sole: dict[str, Rival | None] = {}
    for rival, value in zip(rivals, values, strict=True):
        if value is None:
            continue
        left[rival.attribute] = value
        exact = False
        if rival.column not in taken:
            taken.add(rival.column)
            held, exact = rival.holder.one(value)
            if held is None or held == rival.default:
                exact = False
            else:
                columns[rival.column][row] = held
        # A second one is never exact, so that both stay in the map: nobody could tell whose the column is.
        sole[rival.column] = rival if exact else None
        if rival.implies and as_text(value):
            for column, text in rival.implies:
                if column not in taken:
                    taken.add(column)
                    columns[column][row] = text
    for winner in sole.values():
        if winner is not None and _is_readable(winner, row, columns):
            del left[winner.attribute]


def _is_readable(rival: Rival, row: int, columns: Mapping[str, list[Any]]) -> bool:
    """Whether readers find the attribute in its column."""
    for column, text in rival.implies:
        if columns[column][row] != text:
            return False
    return not rival.unless or any(columns[column][row] != text for column, text in rival.unless)


def _maps(left: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What is left, as texts. Sorted, as the Collector has them: rows are equal, and compress better."""
    orders: dict[tuple[str, ...], list[str]] = {}
    maps = []
    for attributes in left:
        names = tuple(attributes)
        order = orders.get(names)
        if order is None:
            order = orders[names] = sorted(names)
        maps.append(
            {
                name: value if type(value) is str else as_text(value)
                for name in order
                if (value := attributes[name]) is not None
            }
        )
    values = chain.from_iterable(texts.values() for texts in maps)
    return maps if _is_clean(chain(chain.from_iterable(orders), values)) else [*map(_clean_map, maps)]


def _clean_map(texts: Mapping[str, str]) -> dict[str, str]:
    return {without_surrogates(name): without_surrogates(text) for name, text in texts.items()}


def _is_clean(texts: Iterable[str]) -> bool:
    joined = "".join(texts)
    if joined.isascii():
        return True
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True
