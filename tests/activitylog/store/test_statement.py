"""What a request's SQL is: its kind, its format, and where its data begin."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activitylog.store.statement import Statement, classify, tokens

#: Text that is one blank, comment, string or name to the engine, full of words that mean something elsewhere.
INERT = st.sampled_from(
    [
        b" ",
        b"\n",
        b"\xc2\xa0",
        b"-- ; FORMAT CSV '\n",
        b"// it's INSERT `\n",
        b'# ; "\n',
        b"#!x ;\n",
        b"/* ; /* FORMAT JSON ' */ VALUES */",
    ]
)
ATOMS = st.sampled_from(
    [
        b"'; FORMAT JSON'",
        b"'it''s; VALUES'",
        b"'\\'; SELECT'",
        b"`a``; FORMAT`",
        b'"; INSERT \\" x"',
        b"$$ ; ' FORMAT $$",
        b"$tag$ $$ ; FORMAT CSV $tag$",
        "‘; it's ’".encode(),  # noqa: RUF001 - the engine reads typographic quotes
        b"(SELECT 1 FORMAT JSON)",
        b"12e3",
        b"f(x)",
    ]
)


def whole(text: bytes) -> Statement:
    found = classify(text, complete=True)
    assert found is not None
    return found


class TestKinds:
    @pytest.mark.parametrize(
        ("text", "kind", "first"),
        [
            (b"SELECT 1", "select", "SELECT"),
            (b" /* x */ with 1 AS x SELECT x", "select", "WITH"),
            (b"(SELECT 1) UNION ALL (SELECT 2)", "select", "("),
            (b"FROM t SELECT a", "select", "FROM"),
            (b"SHOW TABLES", "other", "SHOW"),
            (b"CREATE TABLE t (a Int8) ENGINE = Memory", "other", "CREATE"),
            (b"INSERT INTO t SELECT 1", "other", "INSERT"),
            (b"INSERT INTO t (SELECT 1)", "other", "INSERT"),
            (b"WITH 1 AS x INSERT INTO t SELECT x", "other", "WITH"),
            (b"INSERT INTO t VALUES (1)", "insert", "INSERT"),
            (b" -- nothing\n", "empty", ""),
        ],
    )
    def test_first_word_decides(self, text: bytes, kind: str, first: str):
        """What returns rows, what is followed by data, and what is neither, is told apart."""
        assert (whole(text).kind, whole(text).first_word) == (kind, first)

    @pytest.mark.parametrize(
        "text", [b"SELECT 1; SELECT 2", b"SELECT 1;; -- x\n DROP TABLE t", b";SELECT 1;SELECT 2"]
    )
    def test_second_statement_is_seen(self, text: bytes):
        """A statement behind a semicolon is reported, so that it can be refused."""
        assert whole(text).more

    @pytest.mark.parametrize("text", [b"SELECT 1;", b"SELECT 1 ;; -- ;\n ;", b"SELECT ';' /* ; */"])
    def test_closing_semicolons_are_no_statement(self, text: bytes):
        """Semicolons at the end, in strings and in comments begin nothing."""
        assert not whole(text).more

    def test_semicolon_is_not_part_of_the_statement(self):
        """The engine gets the statement alone."""
        assert whole(b"SELECT 1 ; ").sql == b"SELECT 1 "

    @pytest.mark.parametrize(
        ("text", "clause"),
        [
            (b"SELECT 1 INTO OUTFILE 'x' FORMAT CSV", "INTO OUTFILE"),
            (b"INSERT INTO t FROM INFILE 'x' FORMAT CSV", "FROM INFILE"),
            (b"INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV 1", "the table function input()"),
            (b"SELECT outfile FROM infile", None),
        ],
    )
    def test_files_are_seen(self, text: bytes, clause: str | None):
        """Clauses that would touch the server's files are reported."""
        assert whole(text).file_clause == clause

    def test_totals_are_seen(self):
        """WITH TOTALS adds to text formats what is not a row."""
        assert whole(b"SELECT a, count() FROM t GROUP BY a WITH TOTALS").totals
        assert not whole(b"SELECT 'TOTALS'").totals


class TestFormatClause:
    @pytest.mark.parametrize(
        ("text", "name", "span"),
        [
            (b"SELECT 1 FORMAT JSON", "JSON", (9, 20)),
            (b"select 1 format JSONEachRow;", "JSONEachRow", (9, 27)),
            (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV", (9, 19)),
            (b"SELECT 1 FORMAT `Native`", "Native", (9, 24)),
            (b"SELECT 1 FORMAT /* x */ TSV -- y", "TSV", (9, 27)),
            (b"SELECT format('{}', 1) AS format FROM t", None, None),
            (b"SELECT t.format JSON FROM t", None, None),
            (b"SELECT t.format JSON", None, None),
            (b"SELECT (SELECT 1 FORMAT JSON)", None, None),
            (b"SELECT 1 AS FORMAT", None, None),
            (b"SELECT 'FORMAT JSON'", None, None),
        ],
    )
    def test_only_the_clause_counts(self, text: bytes, name: str | None, span: tuple[int, int] | None):
        """FORMAT is a clause at the end of a statement, and a name like any other elsewhere."""
        assert (whole(text).format, whole(text).format_span) == (name, span)

    @settings(deadline=None)
    @given(st.lists(ATOMS | INERT, max_size=6), st.lists(INERT, min_size=1, max_size=3))
    def test_inert_text_changes_nothing(self, inside: list[bytes], gaps: list[bytes]):
        """Comments, strings and names, whatever is in them, leave kind and format alone."""
        gap = b" ".join(gaps)
        statement = whole(gap + b"SELECT 1, " + b" ".join(inside) + gap + b" FORMAT" + gap + b" CSV" + gap)
        assert (statement.kind, statement.format, statement.more) == ("select", "CSV", False)


class TestData:
    @pytest.mark.parametrize(
        ("text", "sql", "name", "data"),
        [
            (b"INSERT INTO t VALUES (1)", b"INSERT INTO t", "Values", b" (1)"),
            (b"INSERT INTO t FORMAT Native\n\x01\x02", b"INSERT INTO t", "Native", b"\x01\x02"),
            (b"INSERT INTO t FORMAT CSV \t\r\n 1", b"INSERT INTO t", "CSV", b" 1"),
            (b"INSERT INTO t FORMAT CSV 1\n2", b"INSERT INTO t", "CSV", b"1\n2"),
            (b"INSERT INTO t FORMAT CSV\n\n1", b"INSERT INTO t", "CSV", b"\n1"),
            (b"insert into t (format, `values)`) format TSV\n", b"insert into t (format, `values)`)", "TSV", b""),
            (b"INSERT INTO values VALUES (1)", b"INSERT INTO values", "Values", b" (1)"),
            (b"INSERT INTO d.values VALUES(1)", b"INSERT INTO d.values", "Values", b"(1)"),
            (b"INSERT INTO {t:Identifier} VALUES ()", b"INSERT INTO {t:Identifier}", "Values", b" ()"),
            (
                b"INSERT INTO t SETTINGS a = 'FORMAT CSV', b = 1 FORMAT JSONEachRow {}",
                b"INSERT INTO t SETTINGS a = 'FORMAT CSV', b = 1",
                "JSONEachRow",
                b"{}",
            ),
            (
                b"INSERT INTO FUNCTION file('x', CSV, 'a Int8') FORMAT CSV\n1",
                b"INSERT INTO FUNCTION file('x', CSV, 'a Int8')",
                "CSV",
                b"1",
            ),
        ],
    )
    def test_data_begin_where_the_engine_says(self, text: bytes, sql: bytes, name: str, data: bytes):
        """After VALUES at once; after FORMAT and its name past blanks and one line end."""
        statement = whole(text)
        assert (statement.sql, statement.format, text[statement.data_offset :]) == (sql, name, data)

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.lists(ATOMS, max_size=3), INERT)
    @example(b"; SELECT 1", [], b" ")
    @example(b"'", [], b"\n")
    def test_data_are_never_read(self, data: bytes, columns: list[bytes], gap: bytes):
        """Whatever the rows contain, the statement and the place of the first row are the same."""
        head = b"INSERT INTO" + gap + b" t (" + b", ".join(columns) + b")" + gap + b" FORMAT Native\n"
        statement = whole(head + data)
        assert statement.kind == "insert"
        assert statement.data_offset == len(head)

    @settings(deadline=None)
    @given(st.data())
    def test_a_cut_statement_waits_for_more(self, data: st.DataObject):
        """However the stream is cut, the answer is the one for the whole, or None."""
        text = b"INSERT INTO `t;` (a, b) SETTINGS x = 'FORMAT TSV' FORMAT Native \r\n\x00\x01VALUES"
        full = whole(text)
        cut = data.draw(st.integers(0, len(text)))
        part = classify(text[:cut], complete=False)
        assert part is None or part == full

    def test_a_select_is_known_at_its_end_only(self):
        """A statement without data needs all of its text."""
        assert classify(b"SELECT 1", complete=False) is None


class TestTokens:
    @settings(deadline=None)
    @given(st.binary(max_size=300))
    @example(b"'")
    @example(b"/* /* */")
    @example(b"$a$ x")
    def test_any_bytes_are_tokens_in_order(self, text: bytes):
        """Nothing makes the reader fail, go back, or overlap."""
        at = 0
        for token in tokens(text):
            assert at <= token.start < token.end <= len(text)
            at = token.end
        assert classify(text, complete=True) is not None

    def test_open_quote_reaches_the_end(self):
        """What a quote that does not end contains means nothing."""
        assert [token.kind for token in tokens(b"SELECT 'abc; FORMAT CSV")] == ["word", "open"]

    def test_bare_dollar_word_is_no_heredoc(self):
        """A heredoc needs its closing tag."""
        assert [token.text for token in tokens(b"$a$ + 1")] == ["$A$", "+", "1"]
