"""Which errors deserve another attempt, which other settings, and which another block."""

from __future__ import annotations

import pytest

from otel_clickhouse.verdicts import CODES, MEMORY, judge, of_types, somewhere_behind


class TestJudge:
    @pytest.mark.parametrize(
        ("code", "name", "remedy"),
        [
            (60, "UNKNOWN_TABLE", "again"),
            (81, "UNKNOWN_DATABASE", "again"),
            (16, "NO_SUCH_COLUMN_IN_TABLE", "again"),
            (241, "MEMORY_LIMIT_EXCEEDED", "again"),
            (252, "TOO_MANY_PARTS", "again"),
            (497, "ACCESS_DENIED", "again"),
            (999, "KEEPER_EXCEPTION", "again"),
            (1002, "unknown error", "again"),
            (193, "WRONG_PASSWORD", "settings"),
            (192, "UNKNOWN_USER", "settings"),
            (516, "AUTHENTICATION_FAILED", "settings"),
            (164, "READONLY", "settings"),
            (115, "UNKNOWN_SETTING", "settings"),
            (8, "THERE_IS_NO_COLUMN", "settings"),
            (53, "TYPE_MISMATCH", "settings"),
            (62, "SYNTAX_ERROR", "settings"),
            (6, "CANNOT_PARSE_TEXT", "block"),
            (229, "QUERY_IS_TOO_LARGE", "block"),
            (469, "VIOLATED_CONSTRAINT", "block"),
        ],
    )
    def test_errors_of_the_server(self, code, name, remedy):
        """What may pass is tried again, the unknown too; a block is to blame only for its own values."""
        verdict = judge(code)
        assert (verdict.name, verdict.remedy, verdict.retryable) == (name, remedy, remedy == "again")

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            (
                "Code: 469. DB::Exception: Constraint `insert_gate_1_ab` for table d.t is violated at row 1.",
                "again",
            ),
            ("Code: 469. DB::Exception: Constraint `c` for table d.t. Column values: A = '", "block"),
            ("Code: 469. DB::Exception: Constraint `c`. A = 'Constraint `insert_gate_1`'. (V_C)", "block"),
            ("", "block"),
        ],
    )
    def test_a_gate(self, text, remedy):
        """A constraint that keeps writers out says nothing about their rows."""
        verdict = judge(469, 500, text)
        assert (verdict.name, verdict.remedy) == ("VIOLATED_CONSTRAINT", remedy)

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            ("Code: 115. DB::Exception: Unknown setting 'deduplicate_insert'. (UNKNOWN_SETTING)", "again"),
            ("Code: 115. DB::Exception: Unknown setting max_insert_threads. (UNKNOWN_SETTING)", "again"),
            (
                "Code: 115. DB::Exception: Setting deduplicate_insert is neither a builtin setting nor started "
                "with the prefix 'SQL_' registered for user-defined settings. (UNKNOWN_SETTING)",
                "again",
            ),
            (
                "Code: 115. DB::Exception: Unknown setting 'max_thread': Maybe you meant ['max_threads']",
                "settings",
            ),
            (
                "Code: 115. DB::Exception: Unknown setting 'max_insert_threadz': "
                "Maybe you meant ['max_insert_threads']. (UNKNOWN_SETTING)",
                "settings",
            ),
            ("Code: 115. DB::Exception: Unknown setting 'async_insert'. (UNKNOWN_SETTING)", "settings"),
            ("", "settings"),
        ],
    )
    def test_a_setting_of_another_release(self, text, remedy):
        """What is left out where it is not known does not stand in the way of the next attempt."""
        verdict = judge(115, 404, text)
        assert (verdict.name, verdict.remedy) == ("UNKNOWN_SETTING", remedy)

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            (
                "Code: 32. DB::Exception: Attempt to read after eof: Cannot parse UInt8 from String, because "
                "value is too short: while executing 'FUNCTION toUInt8(v : 0) -> toUInt8(v) UInt8 : 2'. (ATTEMPT)",
                "block",
            ),
            (
                "Code: 32. DB::Exception: Attempt to read after eof: (in file/uri /tmp/x): While executing "
                "Native: While executing File: data for INSERT was parsed from file. (ATTEMPT_TO_READ_AFTER_EOF)",
                "again",
            ),
            ("", "again"),
        ],
    )
    def test_what_ends_early(self, text, remedy):
        """A value is refused, a block that was cut on its way comes again."""
        verdict = judge(32, 500, text)
        assert (verdict.name, verdict.remedy) == ("ATTEMPT_TO_READ_AFTER_EOF", remedy)

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            (
                "Code: 241. DB::Exception: Query memory limit exceeded: would use 61.23 MiB (attempt to allocate "
                "chunk of 4.15 MiB), maximum: 57.22 MiB. (MEMORY_LIMIT_EXCEEDED)",
                "block",
            ),
            (
                "Received ClickHouse exception, code: 241, server response: Code: 241. DB::Exception: Code: 241. "
                "DB::Exception: Memory limit (for query) exceeded: would use 9.37 GiB. (MEMORY_LIMIT_EXCEEDED)",
                "block",
            ),
            (
                "Code: 241. DB::Exception: Query memory limit exceeded: would use 512.51 MiB, maximum: 95.37 MiB: "
                "while executing 'FUNCTION repeat(a, 100)': while pushing to view d.v. (MEMORY_LIMIT_EXCEEDED)",
                "again",
            ),
            (
                "Code: 241. DB::Exception: Received from 10.0.0.2:9000. DB::Exception: Query memory limit "
                "exceeded: would use 512.51 MiB. (MEMORY_LIMIT_EXCEEDED)",
                "again",
            ),
            (
                "Code: 241. DB::Exception: (total) memory limit exceeded: would use 28.74 GiB, maximum: 28.8 GiB. "
                "OvercommitTracker decision: Query was selected to stop. (MEMORY_LIMIT_EXCEEDED)",
                "again",
            ),
            ("Code: 241. DB::Exception: Memory limit (total) exceeded: would use 3.6 GiB. (M)", "again"),
            ("Code: 241. DB::Exception: User memory limit exceeded: would use 3.6 GiB. (M)", "again"),
            ("Code: 241. DB::Exception: Memory limit (for user) exceeded: would use 3.6 GiB. (M)", "again"),
            ("Code: 241. DB::Exception: (total) m. l. e.: A = ': Query memory limit exceeded: '. (M)", "again"),
            ("", "again"),
        ],
    )
    def test_a_limit_of_memory(self, text, remedy):
        """That of the statement is exceeded by the block; those of the user and the server by all together."""
        verdict = judge(241, 500, text)
        assert (verdict.name, verdict.code, verdict.remedy) == ("MEMORY_LIMIT_EXCEEDED", MEMORY, remedy)

    @pytest.mark.parametrize(
        ("remedy", "statuses"),
        [
            ("again", (301, 302, 307, 400, 403, 404, 408, 411, 414, 425, 429, 431, 500, 502, 503, 504)),
            ("settings", (401, 407)),
            ("block", (413,)),
        ],
    )
    def test_statuses_without_a_code(self, remedy, statuses):
        """An answer that is not ClickHouse's is judged by its status; if it says too large, smaller ones help."""
        verdicts = [judge(None, status) for status in statuses]
        assert {verdict.remedy for verdict in verdicts} == {remedy}
        assert [verdict.name for verdict in verdicts] == [f"HTTP status {status}" for status in statuses]

    def test_a_code_counts_more_than_the_status(self):
        """ClickHouse answers 500 and 404 for what is wrong with the statement."""
        assert judge(62, 500).retryable is False
        assert judge(60, 404).retryable is True

    def test_no_answer_is_retryable(self):
        """Refused, reset and timed out are what outages look like."""
        assert judge(None) == (
            "no answer",
            "again",
            "servers and networks come back",
            "Check that the server of the DSN runs.",
        )

    def test_missing_tables_tell_what_to_do(self):
        """Somebody has to create them, and reads the log."""
        assert judge(60).hint == "Create the table, or let create_schema do it."

    def test_names_and_numbers_are_those_of_the_engine(self, chdb_client):
        """The table was not typed from memory."""
        numbers = ", ".join(map(str, CODES))
        found = chdb_client.query(f"SELECT arrayJoin([{numbers}]) AS code, errorCodeToName(code)").result_rows
        assert dict(found) == {code: verdict.name for code, verdict in CODES.items()}

    def test_short_names_for_counters(self):
        """Few distinct ones, which a metric's label can have."""
        assert [judge(60).code, judge(None, 302).code, judge(None).code, judge(1002).code] == [
            "unknown_table",
            "http_302",
            "no_answer",
            "unknown_error",
        ]


class TestTexts:
    """What the engine says, shortened; but for the third, which is from its source: it takes a second server."""

    @pytest.mark.parametrize(
        "text",
        [
            "Code: 469. DB::Exception: Constraint `c` for table d.t is violated at row 3. Column values: A = '2': "
            "while pushing to view d.mv. (VIOLATED_CONSTRAINT)",
            "Received ClickHouse exception, code: 6, server response: Code: 6. DB::Exception: Cannot parse 'x': "
            "while pushing to view d.mv. (CANNOT_PARSE_TEXT) (version 26.9.2.1) (for url http://127.0.0.1:8123)",
            "Code: 469. DB::Exception: Received from 10.0.0.2:9000. DB::Exception: Constraint `c` A = '2'. (V_C)",
            "Code: 469. DB::Exception: Constraint `c` for table d.l is violated at row 1. Column values: a = 'x': "
            "Insertion status:\nWrote 1 blocks and 1 rows on shard 0 replica 0, localhost:9000\n. (V_C)",
        ],
    )
    def test_an_error_behind_the_table(self, text):
        """The table itself may have the rows by then."""
        assert somewhere_behind(text)

    @pytest.mark.parametrize(
        "text",
        [
            "Code: 469. DB::Exception: Constraint `c` for table d.t is violated. A = '2'. (VIOLATED_CONSTRAINT)",
            "Code: 469. DB::Exception: Constraint `c`. A = ': while pushing to view d.mv. (X)'. (V_C)",
            "Code: 469. DB::Exception: Constraint `c`. A = 'DB::Exception: Received from 1.2.3.4:9000'. (V_C)",
        ],
    )
    def test_an_error_of_the_table(self, text):
        """Whatever a record's own values say."""
        assert not somewhere_behind(text)

    def test_types(self):
        """A column that the mapping takes for another one."""
        assert of_types("Cannot parse 'abc': while converting column \"A\" from type String to type UInt8: (in f)")
        assert not of_types("Constraint `c` for table d.t is violated. A = '2'. (VIOLATED_CONSTRAINT)")
