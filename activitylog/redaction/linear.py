"""
Whether a regular expression may take more than linear time when a text is searched for it.

What Python's engine does is known from the parsed expression. These are refused:

* a repeat inside a repeat, unless something keeps its turns apart (``(a+)+``; not ``(\\d+,)+``);
* two unbounded repeats that can match the same characters, with nothing else in between (``\\d+\\w+x``);
* an unbounded repeat that must be followed by something, when the search can begin anew inside of it (``\\w+@``;
  not ``id-\\d+@``: the search begins at an ``i``, which no ``\\d`` matches);
* alternatives inside a repeat that can begin with the same character, and references to groups.

The judgement is on the safe side: what it cannot follow it refuses. Bounded repeats may multiply to
:data:`MAX_STEPS` steps a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

MAX_STEPS: Final = 1_000
_MAX_WAYS: Final = 64
#: Stand for all characters beyond Latin-1.
_BEYOND: Final = frozenset("\u0416\u4e2d\u0663\u2028")
_ALPHABET: Final = frozenset(map(chr, range(256))) | _BEYOND

_Chars = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Piece:
    """One or more characters in a row: which, and how many at the least and the most (None: unbounded)."""

    chars: _Chars
    least: int
    most: int | None

    @property
    def varies(self) -> bool:
        return self.most != self.least


#: A condition (``\\b``, ``$``, a look-around) may fail like a character, and keeps nothing apart.
_CONDITION: Final = _Piece(_ALPHABET, 1, 1)


class _RefusedError(Exception):
    """Why the expression is not accepted."""


def superlinear_reason(pattern: str) -> str:
    """Why a search for ``pattern`` may take more than linear time; empty when it takes linear time."""
    try:
        for way in _ways(parser.parse(pattern)):
            _check(way)
    except _RefusedError as refused:
        return str(refused)
    return ""


def _ways(nodes: Iterable[Any]) -> list[list[_Piece]]:
    """The sequences of pieces that the nodes stand for, one for each choice of alternatives."""
    ways: list[list[_Piece]] = [[]]
    for node in nodes:
        choices = _choices(node)
        ways = [[*way, *choice] for way in ways for choice in choices]
        if len(ways) > _MAX_WAYS:
            raise _RefusedError("it has too many alternatives to judge")
    return ways


def _choices(node: Any) -> list[list[_Piece]]:
    code, argument = node
    if code in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN, codes.CATEGORY, codes.RANGE):
        return [[_Piece(_chars(code, argument), 1, 1)]]
    if code is codes.AT:
        return [[_CONDITION]]
    if code is codes.SUBPATTERN:
        return _ways(argument[-1])
    if code is codes.ATOMIC_GROUP:
        return _ways(argument)
    if code is codes.BRANCH:
        return [way for alternative in argument[1] for way in _ways(alternative)]
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, body = argument
        return _repeated(least, None if most == codes.MAXREPEAT else most, _ways(body))
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        if any(piece.most is None for way in _ways(argument[1]) for piece in way):
            raise _RefusedError("an unbounded repeat inside a look-around")
        return [[_CONDITION]]
    raise _RefusedError("it refers to a group")


def _repeated(least: int, most: int | None, ways: list[list[_Piece]]) -> list[list[_Piece]]:
    single = len(ways) == 1 and len(ways[0]) == 1 and not ways[0][0].varies
    if most == 1 and not single:
        return ways if least else [[], *ways]
    for way in ways:
        _check_body(way)
    first = [way[0].chars for way in ways if way]
    if len(first) < len(ways) or any(a & b for i, a in enumerate(first) for b in first[i + 1 :]):
        raise _RefusedError("alternatives inside a repeat begin with the same character")
    inner = _longest(ways)
    longest = None if most is None or inner is None else most * inner
    return [[_Piece(_union(ways), least * min(map(_shortest, ways)), longest)]]


def _check_body(way: list[_Piece]) -> None:
    """Inside a repeat: what varies must be kept apart from its next turn by something that it cannot match."""
    fixed = [piece.chars for piece in way if piece.least > 0 and not piece.varies]
    for piece in way:
        if piece.varies and not any(not (piece.chars & chars) for chars in fixed):
            raise _RefusedError("a repeat inside a repeat")


def _check(way: list[_Piece]) -> None:
    """One sequence: neighbours that vary, and where the search could begin anew."""
    steps = 1
    for index, piece in enumerate(way):
        if not piece.varies or not any(later.least > 0 for later in way[index + 1 :]):
            continue
        if piece.most is not None:
            steps *= piece.most - piece.least + 1
            if steps > MAX_STEPS:
                raise _RefusedError("its bounded repeats multiply to too many steps")
        elif not _is_kept_apart(way[:index], piece):
            raise _RefusedError(
                "an unbounded repeat that something must follow, and that can be begun anew inside"
            )


def _is_kept_apart(before: list[_Piece], piece: _Piece) -> bool:
    """Whether something that the piece cannot match stands between it and what could match the same."""
    for earlier in reversed(before):
        if earlier.least > 0 and not earlier.chars & piece.chars:
            return True
        if earlier.varies and earlier.chars & piece.chars:
            return False
    return False


def _union(ways: list[list[_Piece]]) -> _Chars:
    return frozenset().union(*(piece.chars for way in ways for piece in way))


def _shortest(way: list[_Piece]) -> int:
    return sum(piece.least for piece in way)


def _longest(ways: list[list[_Piece]]) -> int | None:
    lengths = [[piece.most for piece in way] for way in ways]
    return None if any(None in way for way in lengths) else max(sum(most or 0 for most in way) for way in lengths)


@cache
def _category(pattern: str) -> _Chars:
    return frozenset(char for char in _ALPHABET if re.match(pattern, char, re.DOTALL))


_CATEGORIES: Final = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}


def _chars(code: Any, argument: Any) -> _Chars:
    """The characters of a node that matches one; in either case, since the expression may ignore it."""
    if code is codes.LITERAL:
        return _both_cases(chr(argument))
    if code is codes.NOT_LITERAL:
        return _ALPHABET - {chr(argument)}
    if code is codes.ANY:
        return _ALPHABET
    if code is codes.RANGE:
        low, high = argument
        inside = {char for char in _ALPHABET if low <= ord(char) <= high} | {chr(low), chr(high)}
        return frozenset(case for char in inside for case in _both_cases(char))
    if code is codes.CATEGORY:
        return _category(_CATEGORIES[argument])
    negated = argument[0][0] is codes.NEGATE
    chars: _Chars = frozenset().union(*(_chars(*item) for item in argument if item[0] is not codes.NEGATE))
    return _ALPHABET - chars if negated else chars


def _both_cases(char: str) -> _Chars:
    if char > "\xff":
        return _BEYOND
    return frozenset({char, char.lower(), char.upper()})
