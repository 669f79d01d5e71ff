"""ClickHouse's errors: read from the engine, written for HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.server import errors
from activitylog.server.errors import ServerError, from_engine, status_of

# The names and statuses of ClickHouse's exceptionCodeToHTTPStatus.
STATUSES = {
    401: "REQUIRED_PASSWORD",
    403: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE ACCESS_DENIED",
    400: (
        "BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE "
        "CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER "
        "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 "
        "CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN ILLEGAL_COLUMN "
        "UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST "
        "UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH "
        "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE"
    ),
    404: (
        "UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE "
        "UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT "
        "UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE"
    ),
    413: "QUERY_IS_TOO_LARGE",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
    411: "HTTP_LENGTH_REQUIRED",
    408: "TIMEOUT_EXCEEDED",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "MEMORY_LIMIT_EXCEEDED READONLY TOO_MANY_PARTS",
}


@pytest.fixture
def codes(chdb_client: Any) -> dict[str, int]:
    rows = chdb_client.query(
        "SELECT errorCodeToName(number::Int32) AS name, number FROM numbers(2000) WHERE name != ''"
    )
    return dict(rows.result_rows)


class TestStatus:
    def test_every_code_has_clickhouses_status(self, codes: dict[str, int]):
        """The engine's own code for a name has the status that ClickHouse gives it."""
        wrong = {
            name: status_of(codes[name])
            for status, names in STATUSES.items()
            for name in names.split()
            if status_of(codes[name]) != status
        }
        assert wrong == {}

    def test_no_other_code_has_a_status(self, codes: dict[str, int]):
        """What ClickHouse does not list is 500."""
        listed = {name for names in STATUSES.values() for name in names.split()}
        assert {name for name, code in codes.items() if status_of(code) != 500} <= listed

    def test_our_names_are_the_engines(self, codes: dict[str, int]):
        """The errors that the server raises itself have the engine's names."""
        assert {name: codes[name] for name in errors.NAMES.values()} == {
            name: code for code, name in errors.NAMES.items()
        }


class TestFromEngine:
    @pytest.mark.parametrize(
        ("message", "line"),
        [
            (
                "Code: 60. DB::Exception: Table default.nope does not exist. (UNKNOWN_TABLE)",
                "Code: 60. DB::Exception: Table default.nope does not exist. (UNKNOWN_TABLE) (version 1.2)",
            ),
            (
                "Streaming query failed: Code: 395. DB::Exception: Thrown (x): y. (MEMORY_LIMIT_EXCEEDED) "
                "(version 26.9.2.1)",
                "Code: 395. DB::Exception: Thrown (x): y. (MEMORY_LIMIT_EXCEEDED) (version 1.2)",
            ),
            (
                "Code: 27. DB::Exception: Cannot parse input: (at row 1)\n: While executing X. (TYPE_MISMATCH)",
                "Code: 27. DB::Exception: Cannot parse input: (at row 1)\n: While executing X. (TYPE_MISMATCH) "
                "(version 1.2)",
            ),
            ("no code at all", "Code: 1002. DB::Exception: no code at all (UNKNOWN_EXCEPTION) (version 1.2)"),
        ],
    )
    def test_one_line_with_code_name_and_version(self, message: str, line: str):
        """Whatever the engine wrote around it, the client gets ClickHouse's line."""
        assert from_engine(RuntimeError(message)).line("1.2") == line

    def test_status_can_differ_from_the_codes(self):
        """A method that is not served is 405 though its code is not."""
        assert ServerError(36, "x", status=405).status == 405
