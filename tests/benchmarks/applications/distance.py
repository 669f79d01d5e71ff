"""
A server that is some way off: hands connections on, and what a client says arrives later.

Run in a process of its own, ``python -m tests.benchmarks.applications.distance PORT MILLISECONDS``; it prints the
port that it listens on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_BYTES = 65_536


@contextmanager
def some_way_off(port: int, milliseconds: float) -> Iterator[int]:
    """The port under which the server on ``port`` takes so much longer to answer."""
    command = [sys.executable, "-m", __spec__.name, str(port), str(milliseconds)]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(60)


async def _serve(port: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_hand_on(reader, to_server, seconds), _hand_on(from_server, writer, 0.0))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """What comes later comes in its order: each piece is as late as the others."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(_BYTES):
        if seconds:
            loop.call_later(seconds, writer.write, data)
        else:
            writer.write(data)
    loop.call_later(seconds, writer.close)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
