"""
What a statement is, as far as one must know before it is run: does it only read, does it return rows, in which
format, does data follow, and where.

ClickHouse takes the query as the URL parameter ``query``, then the body, as one stream of bytes; the rows of
an INSERT follow its text without a marker. So the text is read by tokens, as bytes, and no further than to
the data. The token rules are those of ClickHouse's lexer: comments (``--``, ``//``, ``# ``, ``#!``, nested
``/* */``), strings and quoted names with backslash and doubled quotes, typographic quotes, heredocs (``$tag$
... $tag$``). What is not understood is left to the engine, whose message is the better one.

Where the data of an INSERT begin: after ``VALUES`` at once; after ``FORMAT name`` past blanks and one line
end.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["select", "insert", "other", "empty"]

READ_WORDS = frozenset(
    {"SELECT", "WITH", "FROM", "(", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "SET", "USE"}
)
_SELECT_WORDS = frozenset({"SELECT", "WITH", "FROM", "("})

_TOKEN = re.compile(
    rb"""
      (?P<space>   (?: [\s\x00] | \xc2\xa0 | \xe2\x80[\x80-\x8b\xa8\xa9\xaf] | \xe3\x80\x80 | \xef\xbb\xbf
                     | --[^\n]* | //[^\n]* | \#[\ !][^\n]* )+ )
    | (?P<comment> /\* )
    | (?P<string>  '[^'\\]* (?: (?: \\. | '' ) [^'\\]* )* ' | \xe2\x80\x98 .*? \xe2\x80\x99 )
    | (?P<name>    `[^`\\]* (?: (?: \\. | `` ) [^`\\]* )* `
                 | "[^"\\]* (?: (?: \\. | "" ) [^"\\]* )* " | \xe2\x80\x9c .*? \xe2\x80\x9d )
    | (?P<heredoc> \$[A-Za-z0-9_]*\$ )
    | (?P<word>    [A-Za-z_$][A-Za-z0-9_$]* )
    | (?P<number>  [0-9][0-9A-Za-z_]* )
    | (?P<mark>    . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_DATA_GAP = re.compile(rb"[ \t\f]*\r?\n?")
_QUOTES = b"'`\""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL that is neither blank nor comment. ``text`` is ``written``, in upper case for bare words."""

    kind: Literal["word", "name", "string", "number", "mark", "open"]
    text: str
    written: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """
    One statement.

    Attributes:
        kind: ``select`` returns rows and can be streamed; ``insert`` is followed by data; ``other`` is run as
            it is (DDL, SHOW, INSERT ... SELECT); ``empty`` has no tokens.
        sql: its text; of an ``insert`` only what comes before VALUES or FORMAT.
        format: the name in its FORMAT clause, ``Values`` for VALUES, None without.
        format_span: (start, end) of the FORMAT clause in ``sql``, None without or for an ``insert``.
        data_offset: where the rows of an ``insert`` begin in the bytes that were read.
        first_word: upper case; ``(`` where it begins so.
        writes: it has the word INSERT outside parentheses.
        totals: the word TOTALS or EXTREMES occurs: text formats then write more than rows.
        file_clause: what a server does not serve, else None: ``INTO OUTFILE``, ``FROM INFILE``, ``input()``.
        more: another statement follows after a semicolon.
    """

    kind: Kind
    sql: bytes
    format: str | None = None
    format_span: tuple[int, int] | None = None
    data_offset: int | None = None
    first_word: str = ""
    writes: bool = False
    totals: bool = False
    file_clause: str | None = None
    more: bool = False


def tokens(text: bytes) -> Iterator[Token]:
    """
    Read ``text`` token by token.

    A quote or comment that does not end gives one last token of kind ``open`` that reaches to the end.
    """
    at, end = 0, len(text)
    while at < end:
        match = _TOKEN.match(text, at)
        kind = match.lastgroup if match else None
        if match is None or kind == "space":
            at = match.end() if match else end
            continue
        stop = match.end()
        if kind == "comment":
            after = _comment_end(text, stop)
            if after is None:
                yield Token("open", "", "", at, end)
                return
            at = after
            continue
        if kind == "heredoc":
            closing = text.find(match.group(), stop)
            kind, stop = ("string", closing + stop - at) if closing >= 0 else ("word", stop)
        elif kind == "mark" and text[at] in _QUOTES:
            yield Token("open", "", "", at, end)
            return
        yield _token(kind or "mark", text, at, stop)
        at = stop


def _token(kind: str, text: bytes, start: int, end: int) -> Token:
    raw = text[start:end].decode("utf-8", "replace")
    match kind:
        case "word":
            return Token("word", raw.upper(), raw, start, end)
        case "name":
            return Token("name", raw[1:-1], raw[1:-1], start, end)
        case "string":
            return Token("string", raw, raw, start, end)
        case "number":
            return Token("number", raw, raw, start, end)
        case _:
            return Token("mark", raw, raw, start, end)


def _comment_end(text: bytes, at: int) -> int | None:
    """Where a block comment ends whose opening was read: such comments nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge.group() == b"/*" else -1
        if depth == 0:
            return edge.end()
    return None


def classify(text: bytes, *, complete: bool) -> Statement | None:
    """
    Say what the statement at the start of ``text`` is.

    Args:
        text: the query, with whatever data follows.
        complete: nothing comes after ``text``.

    Returns:
        The statement, or None: more of the stream is needed to tell.
    """
    stream = tokens(text)
    first = next(stream, None)
    if first is None:
        return Statement("empty", b"") if complete else None
    if first.text == "INSERT" and first.kind == "word":
        return _insert(text, stream, complete)
    return _whole(text, first, stream) if complete else None


def _insert(text: bytes, stream: Iterator[Token], complete: bool) -> Statement | None:
    depth = 0
    previous = ""
    named = False
    sources = False
    for token in stream:
        depth += (token.text in "({") - (token.text in ")}") if token.kind == "mark" else 0
        if depth or token.kind != "word":
            named = named or token.kind in ("name", "mark")
        elif not named and token.text not in ("INTO", "TABLE", "FUNCTION"):
            named = True
        elif token.text in ("SELECT", "WITH", "FROM"):
            sources = True
        elif token.text == "VALUES" and previous != "." and not sources:
            return _with_data(text, token.start, "Values", token.end, complete)
        elif token.text == "FORMAT" and not sources:
            name = next(stream, None)
            if name is not None and name.kind in ("word", "name"):
                return _with_format(text, token, name, complete)
        previous = token.text
    if not complete:
        return None
    return _whole(text, Token("word", "INSERT", "", 0, 0), tokens(text))


def _with_format(text: bytes, clause: Token, name: Token, complete: bool) -> Statement | None:
    if name.end == len(text) and not complete:
        return None
    gap = _DATA_GAP.match(text, name.end)
    data = gap.end() if gap else name.end
    return _with_data(text, clause.start, name.written, data, complete)


def _with_data(text: bytes, clause_start: int, name: str, data: int, complete: bool) -> Statement | None:
    if data == len(text) and not complete:
        return None
    sql = text[:clause_start].rstrip()
    return Statement("insert", sql, name, data_offset=data, first_word="INSERT", writes=True)


def _whole(text: bytes, first: Token, rest: Iterator[Token]) -> Statement:
    """The statement at the start of ``text``, all of which was read."""
    found = [first] if first.end else []
    end, more = len(text), False
    for token in rest:
        if end < len(text):
            if token.text != ";" or token.kind != "mark":
                more = True
                break
        elif token.text == ";" and token.kind == "mark":
            end = token.start
        else:
            found.append(token)
    outside = _outside_parentheses(found)
    words = {token.text for token in found if token.kind == "word"}
    inserts = first.text == "INSERT" or (
        first.text == "WITH" and any(_is_word(token, "INSERT") for token in outside)
    )
    clause = _format_clause(outside)
    return Statement(
        "select" if first.text in _SELECT_WORDS and not inserts else "other",
        text[:end],
        clause[0] if clause else None,
        clause[1:] if clause else None,
        first_word=first.text,
        writes=inserts or "INSERT" in words,
        totals=bool(words & {"TOTALS", "EXTREMES"}),
        file_clause=_file_clause(outside) or _input_function(found, inserts),
        more=more,
    )


def from_file(insert: bytes, format_name: str, path: str) -> bytes:
    """
    The statement of an INSERT, whose rows are in a file.

    Args:
        insert: its text before VALUES or FORMAT.
        path: without quotes and backslashes.
    """
    outside = _outside_parentheses([*tokens(insert)])
    at = next((one.start for one, _, equals in _triples(outside) if _is_settings(one, equals)), len(insert))
    infile = f"\nFROM INFILE '{path}' COMPRESSION 'none' ".encode()
    return insert[:at] + infile + insert[at:] + f"\nFORMAT {format_name}".encode()


def _triples(found: list[Token]) -> Iterator[tuple[Token, Token, Token]]:
    return zip(found, found[1:], found[2:], strict=False)


def _is_settings(word: Token, equals: Token) -> bool:
    return _is_word(word, "SETTINGS") and equals.text == "="


def _outside_parentheses(found: list[Token]) -> list[Token]:
    depth = 0
    outside = []
    for token in found:
        if token.kind == "mark" and token.text in "([{)]}":
            depth += 1 if token.text in "([{" else -1
        elif depth == 0:
            outside.append(token)
    return outside


def _is_word(token: Token, text: str) -> bool:
    return token.kind == "word" and token.text == text


def _format_clause(outside: list[Token]) -> tuple[str, int, int] | None:
    """The FORMAT clause: FORMAT and a name, with nothing behind them but SETTINGS."""
    for at in range(len(outside) - 2, 0, -1):
        clause, name = outside[at], outside[at + 1]
        if not _is_word(clause, "FORMAT") or name.kind not in ("word", "name") or outside[at - 1].text == ".":
            continue
        if at + 2 == len(outside) or _is_word(outside[at + 2], "SETTINGS"):
            return name.written, clause.start, name.end
    return None


def _file_clause(outside: list[Token]) -> str | None:
    for one, two, name in _triples(outside):
        if (one.text, two.text) in (("INTO", "OUTFILE"), ("FROM", "INFILE")) and name.kind == "string":
            return f"{one.text} {two.text}"
    return None


def _input_function(found: list[Token], inserts: bool) -> str | None:
    calls = (_is_word(one, "INPUT") and two.text == "(" for one, two in itertools.pairwise(found))
    return "the table function input()" if inserts and any(calls) else None
