"""A server of ASGI as small as one can be: it calls an application, and keeps what that sends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]
#: The client has asked, and waits.
ASKED: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


def scope_of(path: str = "/", **more: Any) -> dict[str, Any]:
    """A scope as servers make it; ``headers`` are texts by their names."""
    headers = {"user-agent": "curl/8.5", **more.pop("headers", {})}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("192.0.2.1", 51_234),
        "server": ("127.0.0.1", 8000),
        "state": {},
        **more,
    }


def websocket_scope(path: str = "/", **more: Any) -> dict[str, Any]:
    """The same for a websocket."""
    scope = scope_of(path, type="websocket", scheme="ws", subprotocols=[], **more)
    del scope["method"]
    return scope


async def send_ok(send: Any, status: int = 200, *chunks: bytes) -> None:
    """What an application answers."""
    await send({"type": "http.response.start", "status": status, "headers": []})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class Call:
    """
    One call of an application.

    Attributes:
        sent: what it has sent so far.
        scope: as it is now.
    """

    def __init__(
        self, app: Any, scope: dict[str, Any] | None = None, received: Iterable[Message] = (ASKED,)
    ) -> None:
        self._app = app
        self.scope = scope_of() if scope is None else scope
        self._received = list(received)
        self.sent: list[Message] = []
        #: Raised by ``send`` once the client has gone.
        self.broken: OSError | None = None

    async def receive(self) -> Message:
        """The next message; when there is none left, wait as for a client that says nothing more."""
        await asyncio.sleep(0)
        if self._received:
            return self._received.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        """Take a message."""
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        self.sent.append(message)

    async def run(self) -> Call:
        """Until the application returns."""
        await self._app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int | None:
        """Of the answer."""
        return next((message["status"] for message in self.sent if "status" in message), None)

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        start = next(message for message in self.sent if message["type"] == "http.response.start")
        return {name.decode(): value.decode() for name, value in start["headers"]}


def run(app: Any, scope: dict[str, Any] | None = None, received: Iterable[Message] = (ASKED,)) -> Call:
    """Call an application in a loop of its own."""
    return asyncio.run(Call(app, scope, received).run())
