"""
One POST over HTTP, with urllib3: no redirects, no retries, one deadline, an answer of bounded size.

Not with ``requests``, as the stock exporter: it reads the body of a redirect whole, however large, even when told
not to follow it, and puts what ``~/.netrc`` says in the place of the Authorization header.

What a server says before it has read the batch (413) is read, if it arrived before the connection broke. A server
that resets at once, or hangs, at a batch that is too large for it cannot be told from one that is down: the batch
comes again as it is, until somebody sets ``max_request_bytes``.
"""

from __future__ import annotations

import gzip
import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from otel_delivery import Answer
from otel_otlp.acknowledgement import MAX_ANSWER_BYTES
from otel_otlp.deadline import DeadlineSSLSocket, connect, deadline
from otel_otlp.endpoint import Endpoint, secrets_of_query
from otel_otlp.exceptions import NoAnswerError
from otel_otlp.first_use import import_modules
from otel_otlp.http_answers import HTTPAnswer, judge
from otel_otlp.proxy import Proxy, environment_proxy
from otel_otlp.reentrancy import REENTRANCY
from otel_otlp.secrets import Secrets
from otel_otlp.tls_files import TLSFiles, hint_of, load

if TYPE_CHECKING:
    import socket

    from urllib3 import BaseHTTPResponse, PoolManager

_MODULES: Final = ("urllib3", "google.protobuf.message", "google.rpc.status_pb2", "encodings.idna")
_USER_AGENT: Final = "otel-otlp-python"
#: Of an answer that is no success, what is read in any case.
_TOLD_BYTES: Final = 1024


class HTTPTransport:
    """
    Posts requests. Opens lazily; any number of threads may use it.

    Args:
        headers: beside OTLP's own.
        compress: with gzip; the same request gives the same bytes.
        accept_empty: see :func:`otel_otlp.http_answers.judge`.
    """

    def __init__(
        self, endpoint: Endpoint, headers: Mapping[str, str], tls: TLSFiles, *, compress: bool, accept_empty: bool
    ) -> None:
        self._endpoint = endpoint
        self._headers = _request_headers(endpoint, headers, compress)
        self._tls = tls
        self._compress = compress
        self._accept_empty = accept_empty
        self._secrets = Secrets([*headers.values(), *endpoint.secrets, endpoint.authorization])
        self._manager: PoolManager | None = None
        self._opening = threading.Lock()

    def send(self, payload: bytes, records: int, timeout_seconds: float) -> Answer:
        """One attempt. Never raises an Exception."""
        body = gzip.compress(payload, mtime=0) if self._compress else payload
        try:
            import_modules(*_MODULES)
            with deadline(timeout_seconds):
                answer = judge(self._post(body), records, accept_empty=self._accept_empty)
        except Exception as error:  # noqa: BLE001 - all that a network can do ends in an answer
            answer = _no_answer(error, self._tls)
        if answer.reason == "tls":
            self.close()  # the files are read anew, should somebody have put them right
        shown = f"{self._endpoint.shown}: {answer.detail}" if answer.detail else ""
        return replace(answer, detail=self._secrets.line(shown))

    def close(self) -> None:
        """Let go of the connections that nobody uses. Idempotent; ``send`` opens others."""
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.clear()

    def before_fork(self) -> None:
        """Nothing: the child gets a transport of its own."""

    def after_fork_in_parent(self) -> None:
        """Nothing."""

    def _post(self, body: bytes) -> HTTPAnswer:
        response = self._opened().urlopen(
            "POST",
            self._endpoint.target,
            body=body,
            headers=self._headers,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        content, fault = _read(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HTTPAnswer(response.status, headers, content, fault)

    def _opened(self) -> PoolManager:
        with self._opening:
            manager = self._manager
            if manager is None:
                proxy = environment_proxy(self._endpoint)
                if proxy:
                    self._secrets.add(proxy.authorization)
                self._secrets.add(*secrets_of_query(_query_as_sent(self._endpoint)))
                manager = self._manager = _pool_manager(self._endpoint, self._tls, proxy)
            return manager


def _query_as_sent(endpoint: Endpoint) -> str:
    """As urllib3 writes it: ``%2f`` as ``%2F``, and what a URL cannot hold encoded."""
    from urllib3.util import parse_url

    return parse_url(endpoint.target).query or ""


def _request_headers(endpoint: Endpoint, headers: Mapping[str, str], compress: bool) -> dict[str, str]:
    own = {"user-agent": _USER_AGENT, "accept-encoding": "identity"}
    if endpoint.authorization:
        own["authorization"] = endpoint.authorization
    own |= headers
    own["content-type"] = "application/x-protobuf"
    if compress:
        own["content-encoding"] = "gzip"
    return own


def _read(response: BaseHTTPResponse) -> tuple[bytes, str]:
    """What was sent of the body, and what is wrong with it. The connection is kept only after a whole one."""
    content, fault = b"", ""
    try:
        while len(content) <= MAX_ANSWER_BYTES:
            # Byte by byte as long as it may say what is wrong: a read that ends in a reset loses what it has.
            telling = response.status >= 300 and len(content) < _TOLD_BYTES
            size = 1 if telling else MAX_ANSWER_BYTES + 1 - len(content)
            chunk = response.read(size, decode_content=False)
            if not chunk:
                response.release_conn()
                return content, fault
            content += chunk
        content, fault = content[:MAX_ANSWER_BYTES], "larger than any answer"
    except Exception as error:  # noqa: BLE001 - the status was read, and may say enough
        fault = f"not whole ({_innermost(error)})"
    response.close()
    return content, fault


def _pool_manager(endpoint: Endpoint, tls: TLSFiles, proxy: Proxy | None) -> PoolManager:
    """urllib3's connection pools, with sockets under the thread's deadline."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self._dns_host, self.port)

    class SecureConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self._dns_host, self.port)

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    context = _ssl_context(tls) if endpoint.secure else None
    if proxy:
        credentials = {"proxy-authorization": proxy.authorization} if proxy.authorization else None
        manager: PoolManager = urllib3.ProxyManager(proxy.url, proxy_headers=credentials, ssl_context=context)
    else:
        manager = urllib3.PoolManager(ssl_context=context)
    manager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
    REENTRANCY.quiet_drivers()
    return manager


def _ssl_context(tls: TLSFiles) -> ssl.SSLContext:
    context = load(tls)
    context.sslsocket_class = DeadlineSSLSocket
    return context


def _no_answer(error: Exception, tls: TLSFiles) -> Answer:
    inner = _innermost(error)
    if isinstance(inner, NoAnswerError):
        return Answer("retry", inner.reason, str(inner))
    if isinstance(inner, ssl.SSLError):
        hint = hint_of(str(inner), tls)
        return Answer("retry", "tls", f"TLS failed: {hint} ({inner})" if hint else f"TLS failed: {inner}")
    if isinstance(inner, TimeoutError):
        return Answer("retry", "timeout", "No answer in time; what became of the batch is not known.")
    if isinstance(inner, (OSError, http.client.HTTPException)):
        text = "The connection broke; what became of the batch is not known"
        return Answer("retry", "connection_lost", f"{text}: {type(inner).__name__}: {inner}")
    return Answer("retry", "unexpected", f"{type(inner).__name__}: {inner}")


def _innermost(error: BaseException) -> BaseException:
    """What the operating system said; urllib3 wraps it in texts with the whole URL."""
    while not isinstance(error, NoAnswerError):
        inner = error.__cause__ or error.__context__
        if inner is None:
            break
        error = inner
    return error
