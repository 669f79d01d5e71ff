"""
ClickHouse's errors, as its HTTP interface gives them: a code, a name, one line of text, and a status.

The line is ``Code: 60. DB::Exception: Unknown table ... (UNKNOWN_TABLE) (version 26.9.2.1)``. chDB raises it
as the message of an exception, at times behind words of its own, with or without the version. Which code has
which status is ClickHouse's ``exceptionCodeToHTTPStatus``; a code that is not listed there is 500.
"""

from __future__ import annotations

import re

SYNTAX_ERROR = 62

# The errors that this server raises itself. The engine's own come with their names.
NAMES = {
    36: "BAD_ARGUMENTS",
    39: "TOO_LARGE_SIZE_COMPRESSED",
    40: "CHECKSUM_DOESNT_MATCH",
    48: "NOT_IMPLEMENTED",
    62: "SYNTAX_ERROR",
    73: "UNKNOWN_FORMAT",
    89: "UNKNOWN_COMPRESSION_METHOD",
    115: "UNKNOWN_SETTING",
    164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    229: "QUERY_IS_TOO_LARGE",
    236: "ABORTED",
    271: "CANNOT_DECOMPRESS",
    358: "INTO_OUTFILE_NOT_ALLOWED",
    372: "SESSION_NOT_FOUND",
    373: "SESSION_IS_LOCKED",
    374: "INVALID_SESSION_TIMEOUT",
    497: "ACCESS_DENIED",
    1002: "UNKNOWN_EXCEPTION",
}

_CODES_OF_STATUS = {
    400: {
        6,
        8,
        15,
        25,
        26,
        27,
        36,
        37,
        38,
        41,
        44,
        53,
        62,
        72,
        117,
        123,
        167,
        168,
        223,
        321,
        376,
        427,
        441,
        675,
        676,
    },
    401: {194},
    403: {192, 193, 497, 512, 516},
    404: {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511},
    408: {159},
    411: {381},
    413: {229},
    415: {779},
    501: {48},
    503: {76, 209, 439},
}
_STATUS = {code: status for status, codes in _CODES_OF_STATUS.items() for code in codes}

REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

_LINE = re.compile(r"Code: (?P<code>\d+)\. (?P<text>DB::.*)", re.DOTALL)
_NAME_AND_VERSION = re.compile(r"\s*\([A-Z][A-Z0-9_]+\)(?: \(version [^()]*(?:\([^()]*\))?\))?\s*$")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)(?: \(version [^()]*(?:\([^()]*\))?\))?\s*$")


class ServerError(Exception):
    """
    What a client is told instead of a result.

    Args:
        code: ClickHouse's error code.
        text: what is wrong, without code, name or version.
        name: the code's name; known for the codes that this server raises itself.
        status: the HTTP status where it is not the one of ``code``.
    """

    def __init__(self, code: int, text: str, *, name: str | None = None, status: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.name = name or NAMES.get(code, "UNKNOWN_EXCEPTION")
        self.status = status or status_of(code)

    def line(self, version: str) -> str:
        """The body of the response, without its line end."""
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.name}) (version {version})"


def status_of(code: int) -> int:
    """The HTTP status of a ClickHouse error code."""
    return _STATUS.get(code, 500)


def from_engine(error: Exception) -> ServerError:
    """Read the error that chDB raised: its code, text and name. Without a code it is 1002."""
    message = str(error)
    match = _LINE.search(message)
    if match is None:
        return ServerError(1002, message.strip() or type(error).__name__)
    text = match["text"].removeprefix("DB::Exception: ").strip()
    name = _NAME.search(text)
    return ServerError(int(match["code"]), _NAME_AND_VERSION.sub("", text), name=name[1] if name else None)


_FILE = re.compile(r": \(in file/uri [^)]*\)|: While executing File: data for INSERT was parsed from file")


def without_file(error: ServerError) -> ServerError:
    """What the engine said of rows in a file, as it says it of rows in a request."""
    text = _FILE.sub("", error.text)
    if text.startswith("Code: "):  # that of the file's reader, inside of that of the statement
        return from_engine(RuntimeError(text.removesuffix(".")))
    return ServerError(error.code, text, name=error.name, status=error.status)
