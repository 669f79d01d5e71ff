"""
A request as ClickHouse's HTTP interface reads it.

Parameters come from the URL and, for ``multipart/form-data``, from the form: ``query``, ``param_name``
(values of the query's placeholders), a few words for the server itself, and any other name is a setting of
the engine. The query is the parameter ``query``, a line end, and the body. User names and passwords are taken
and not looked at.
"""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from activitylog.server.blocks import decode_blocks
from activitylog.server.compression import CHUNK_BYTES, decode
from activitylog.server.errors import ServerError

MAX_FORM_BYTES = 16 << 20

# Parameters that are not settings of the engine.
_FOR_THE_SERVER = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)

# Settings about HTTP itself: this server acts on them, or has nothing that they could change.
_ABOUT_HTTP = frozenset(
    {
        "add_http_cors_header",
        "cancel_http_readonly_queries_on_client_close",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "http_native_compression_disable_checksumming_on_decompress",
        "http_zlib_compression_level",
        "send_progress_in_http_headers",
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request.

    Attributes:
        method: upper case.
        path: without the query string.
        options: the parameters that are for the server.
        settings: the parameters that are for the engine.
        parameters: the values of placeholders, without ``param_``.
        has_arguments: the URL had a query string.
        headers: the WSGI environment.
        form: the request was a form, whose body is used up.
    """

    method: str
    path: str
    options: Mapping[str, str]
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    has_arguments: bool
    headers: Mapping[str, Any] = field(repr=False)
    form: bool = False

    def header(self, name: str) -> str:
        """A header of the request, empty when missing."""
        return str(self.headers.get("HTTP_" + name.upper().replace("-", "_"), ""))

    def option(self, name: str, default: str = "") -> str:
        """A parameter for the server."""
        return self.options.get(name, default)

    @property
    def default_format(self) -> str:
        """The format for a query without a FORMAT clause; empty when the request has none."""
        return self.header("X-ClickHouse-Format") or self.option("default_format")

    @property
    def database(self) -> str:
        """The database to work in; empty for the handle's own."""
        return self.header("X-ClickHouse-Database") or self.option("database")

    @property
    def revision(self) -> int:
        """The client's protocol revision for the Native format; 0 when it gave none."""
        given = self.option("client_protocol_version")
        return int(given) if given.isascii() and given.isdigit() else 0

    def stream(self) -> Iterator[bytes]:
        """The query and its data: the parameter ``query``, a line end, the body with its compressions undone."""
        query = self.option("query")
        if query:
            yield query.encode("utf-8", "surrogateescape") + b"\n"
        if self.form or self.method not in ("POST", "PUT"):
            return
        body = decode(self.header("Content-Encoding"), _chunks(self.headers["wsgi.input"]))
        if self.option("decompress") == "1":
            verify = self.option("http_native_compression_disable_checksumming_on_decompress") != "1"
            body = decode_blocks(body, verify=verify)
        yield from body


def read_request(environ: Mapping[str, Any]) -> Request:
    """
    Read a request's parameters; its body stays where it is, but for forms.

    Raises:
        ServerError: a form is too large or has external tables, a name is not text.
    """
    pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True, errors="surrogateescape")
    content_type = str(environ.get("CONTENT_TYPE", ""))
    form = content_type.lower().startswith("multipart/form-data") and environ["REQUEST_METHOD"] == "POST"
    if form:
        pairs += _form(content_type, environ)
    options, settings, parameters = {}, {}, {}
    for name, value in pairs:
        if name in _FOR_THE_SERVER or name in _ABOUT_HTTP:
            options[name] = value
        elif name.startswith("param_"):
            parameters[name.removeprefix("param_")] = _utf8(name, value)
        elif name:
            settings[name] = value
    method, path = environ["REQUEST_METHOD"].upper(), environ.get("PATH_INFO", "/")
    return Request(method, path, options, settings, parameters, bool(environ.get("QUERY_STRING")), environ, form)


def _utf8(name: str, value: str) -> str:
    if value.isascii() or value.encode("utf-8", "replace").decode() == value:
        return value
    raise ServerError(36, f"The value of {name.encode('ascii', 'replace').decode()} is not UTF-8")


def _chunks(body: Any) -> Iterator[bytes]:
    while chunk := body.read(CHUNK_BYTES):
        yield chunk


def _form(content_type: str, environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    encoding = str(environ.get("HTTP_CONTENT_ENCODING", ""))
    body = bytearray()
    for chunk in decode(encoding, _chunks(environ["wsgi.input"])):
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise ServerError(229, f"A form of more than {MAX_FORM_BYTES} bytes: send the query as the body")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise ServerError(36, "The body is not the multipart/form-data that its Content-Type says")
    return [_field(part) for part in message.iter_parts()]


def _field(part: Any) -> tuple[str, str]:
    name = part.get_param("name", header="content-disposition") or ""
    if part.get_filename() is not None and name != "query" and not name.startswith("param_"):
        raise ServerError(
            48,
            f"External tables are not served (form part {name!r}): "
            "create a temporary table in a session and insert into it",
        )
    return str(name), part.get_payload(decode=True).decode("utf-8", "surrogateescape")
