"""A gate between clients and a server: every request passes it, and the test decides what happens meanwhile."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_plus


def _nothing(_statement: str) -> None:
    pass


class Gate:
    """
    Listens on a free port of the loopback interface and hands every request on.

    Args:
        port: of the server behind it.
        before: called with the text of a request before the server gets it; False keeps it from the server, and
            closes the connection.
        after: the same when the server has answered, before the client hears of it; False keeps that from it.
    """

    def __init__(
        self,
        port: int,
        *,
        before: Callable[[str], object] = _nothing,
        after: Callable[[str], object] = _nothing,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self._body()
                text = body.decode(errors="replace") + unquote_plus(self.path)
                if before(text) is False:
                    self.close_connection = True
                    return
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                server.request(self.command, self.path, body, self._passed_on())
                answer = server.getresponse()
                content = answer.read()
                server.close()
                if after(text) is False:
                    self.close_connection = True
                    return
                try:
                    self._answer(answer, content)
                except OSError:  # the client is dead
                    self.close_connection = True

            do_GET = do_POST  # noqa: N815 - the name that http.server looks for

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            def _passed_on(self) -> dict[str, str]:
                of_transport = ("content-length", "transfer-encoding")
                return {name: text for name, text in self.headers.items() if name.lower() not in of_transport}

            def _answer(self, answer: http.client.HTTPResponse, content: bytes) -> None:
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
