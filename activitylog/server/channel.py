"""waitress's connection with ClickHouse's errors. Importing this imports waitress."""

from __future__ import annotations

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from activitylog.server.errors import ServerError

MAX_DISCARDED_BYTES = 4 << 30


class Nowhere:
    """A buffer that keeps nothing, for the rest of a body that was refused."""

    def append(self, data: bytes) -> None:
        """Forget ``data``."""

    def __len__(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


class Refusal(ErrorTask):  # type: ignore[misc]
    """What is answered to a request that waitress refuses: in ClickHouse's form."""

    def execute(self) -> None:
        """Send it, and close the connection."""
        refused, server = self.request.error, self.channel.server
        if refused.code == 413:
            limit = server.adj.max_request_body_size - 1
            error = ServerError(
                229, f"The body is larger than this server takes ({limit} bytes): send smaller batches"
            )
        else:
            error = ServerError(1002, f"{refused.reason}: {refused.body}")
        line = error.line(server.engine_version).encode() + b"\n"
        self.status = f"{refused.code} {refused.reason}"
        self.response_headers.append(("Content-Type", "text/plain; charset=UTF-8"))
        self.response_headers.append(("X-ClickHouse-Exception-Code", str(error.code)))
        self.set_close_on_finish()
        self.content_length = len(line)
        self.write(line)


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads a body that is too large to its end, keeping nothing: who still sends hears no answer."""

    discarded = 0

    def received(self, data: bytes) -> int:
        """Take what came; say how much of it."""
        if self.discarded:
            return self._discard(data)
        consumed: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge) and not self.expect_continue:
            self.body_rcv.getbuf().close()
            self.body_rcv.buf = Nowhere()
            self.discarded, self.completed = 1, self.body_rcv.completed
        return consumed

    def _discard(self, data: bytes) -> int:
        consumed: int = self.body_rcv.received(data)
        self.discarded += consumed
        done = self.body_rcv.completed or self.body_rcv.error or self.discarded > MAX_DISCARDED_BYTES
        self.completed = bool(done)
        return consumed


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection."""

    error_task_class = Refusal
    parser_class = Parser


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """The listening socket and its loop."""

    channel_class = Channel
    engine_version = ""

    def accepting_ends(self) -> None:
        """Close the listening socket, in the loop's thread."""
        self.accepting = False
        self.del_channel()
        self.socket.close()
