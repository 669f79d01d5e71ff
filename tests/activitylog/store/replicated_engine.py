"""
Servers of a cluster that replicate for real, in one engine: chDB's, with an Apache ZooKeeper as Keeper.

Each database of the engine stands for a server: ``remote_servers`` names them by their ``default_database``, and
tables at one path in Keeper are replicas of each other. They have Keeper's log, queue, block numbers, windows of
tokens and mutations of ClickHouse's own code. chDB lacks three things of a server, of which two are made here:

* The address at which replicas fetch parts from this one. Only the server's ``main`` sets it, so the function that
  reads it is replaced in the memory of the engine's process. It is found by its code; another build of chDB may
  have other code, see :func:`is_known_build`.
* What listens at that address: :class:`_Parts` sends the files of a part, in version 4 of the protocol.
* The queue of ``ON CLUSTER``. Statements are run in every database instead.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from activitylog.server.cityhash import _seeded

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>keeper</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>3.9.3</version></dependency>
<dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId><version>4.2.25</version></dependency>
<dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId><version>1.1.10.5</version></dependency>
</dependencies></project>
"""
_CONFIG = """<clickhouse>
  <tcp_port>9000</tcp_port><background_schedule_pool_size>16</background_schedule_pool_size>
  <background_fetches_pool_size>4</background_fetches_pool_size><background_pool_size>4</background_pool_size>
  <background_processing_pool_thread_sleep_seconds>0.01</background_processing_pool_thread_sleep_seconds>
  <background_processing_pool_thread_sleep_seconds_random_part>0
  </background_processing_pool_thread_sleep_seconds_random_part>
  <background_processing_pool_thread_sleep_seconds_if_nothing_to_do>0.01
  </background_processing_pool_thread_sleep_seconds_if_nothing_to_do>
  <background_processing_pool_task_sleep_seconds_when_no_work_min>0.01
  </background_processing_pool_task_sleep_seconds_when_no_work_min>
  <background_processing_pool_task_sleep_seconds_when_no_work_max>0.05
  </background_processing_pool_task_sleep_seconds_when_no_work_max>
  <background_processing_pool_task_sleep_seconds_when_no_work_random_part>0
  </background_processing_pool_task_sleep_seconds_when_no_work_random_part>
  <logger><level>none</level></logger>
  <{section}><node><host>127.0.0.1</host><port>{keeper}</port></node></{section}>
  <remote_servers>{clusters}</remote_servers>
</clickhouse>
"""
#: The beginning of the function that answers where replicas fetch parts: of chDB 26.9, Linux on x86-64.
_ADDRESS_CODE = re.compile(
    rb"\x41\x56\x53\x48\x83\xec\x48\x4c\x8b\x36\x49\x0f\xbe\x8e\x67\x01\0\0\x48\x85\xc9\x49\x8b\x96\x58\x01\0\0\x48\x89\xc8"
    rb"\x48\x0f\x48\xc2\x48\x85\xc0\x74.\x41\x0f\xb7\x86",
    re.DOTALL,
)
#: Where in the engine's shared context the host is.
_HOST = 0x150
_LOAD = b"\x48\xb8"  # mov rax, the 8 bytes behind it
_NO_CREDENTIALS = ctypes.create_string_buffer(512)
_HASHED_BLOCK = 2048


def _engine_library() -> Path:
    import chdb

    return Path(chdb.__file__).parent / "_chdb.abi3.so"


def _address_code() -> int | None:
    """Where in the engine's file the function is."""
    path = _engine_library()
    if not path.exists():
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [match.start() for match in _ADDRESS_CODE.finditer(content)]
    return found[0] if len(found) == 1 else None


def missing_program() -> str:
    """What this machine lacks to run ZooKeeper; empty when it lacks nothing."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            return f"replication for real needs ZooKeeper: there is no {program} on this machine"
    return ""


def is_known_build() -> bool:
    """Whether the engine has the function that is replaced; the next release of chDB may have it otherwise."""
    return _address_code() is not None


class Keeper:
    """A ZooKeeper on loopback; its jars come from Maven."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        jars = folder / "jars"
        (folder / "pom.xml").write_text(_POM)
        command = ["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), "dependency:copy-dependencies"]
        brought = subprocess.run(
            [*command, f"-DoutputDirectory={jars}"], capture_output=True, text=True, check=False
        )
        if brought.returncode:
            raise KeeperMissingError(f"Maven does not bring ZooKeeper: {brought.stdout.strip()[:300]}")
        self.port = _free_port()
        (folder / "zoo.cfg").write_text(
            f"tickTime=2000\ndataDir={folder}/keeper\nclientPort={self.port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxClientCnxns=0\n"
        )
        self._process = subprocess.Popen(
            [
                "java",
                "-Xmx256m",
                "-cp",
                f"{jars}/*",
                "org.apache.zookeeper.server.ZooKeeperServerMain",
                f"{folder}/zoo.cfg",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self.port)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


class KeeperMissingError(Exception):
    """No ZooKeeper can be had."""


class ReplicatedEngine:
    """
    The engine, in a process of its own, behind HTTP.

    Args:
        clusters: XML of ``remote_servers``.
        section: of the configuration that names the Keeper, ``zookeeper`` or ``keeper``. Two engines that share
            one need both: each ends sessions of its section's name that seem to be its own from before.
    """

    def __init__(self, folder: Path, keeper: Keeper, clusters: str, section: str = "zookeeper") -> None:
        self.folder = folder
        (folder / "config.xml").write_text(_CONFIG.format(keeper=keeper.port, section=section, clusters=clusters))
        (folder / "replicas.json").write_text("{}")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from tests.activitylog.store.replicated_engine import serve; serve()",
                str(folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the engine ended before it listened"
        self.port = int(line)

    def url(self, database: str) -> str:
        """The address of one of the servers."""
        return f"clickhouse://127.0.0.1:{self.port}/{database}"

    def announce(self, client: Any) -> None:
        """Tell who sends parts where those of the tables are; after tables were made."""
        rows = client.query(
            "SELECT replica_path, data_paths[1] FROM system.replicas AS r JOIN system.tables AS t "
            "ON r.database = t.database AND r.table = t.name"
        ).result_rows
        new = self.folder / "replicas.json.new"
        new.write_text(json.dumps(dict(rows)))
        new.replace(self.folder / "replicas.json")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)


def serve() -> None:
    """The engine's process: prints the port of its HTTP interface, and ends with its standard input."""
    import chdb

    from activitylog.server.app import Application
    from activitylog.server.engine import Engine
    from activitylog.server.listener import Server

    folder = Path(sys.argv[1])
    parts = ThreadingHTTPServer(("127.0.0.1", 0), _Parts)
    parts.folder = folder  # type: ignore[attr-defined]
    threading.Thread(target=parts.serve_forever, daemon=True).start()
    _set_address("127.0.0.1", parts.server_port)
    opened = chdb.connect(f"{folder}/data?config-file={folder}/config.xml")  # type: ignore[no-untyped-call]
    engine = Engine(f"{folder}/data")
    server = Server(engine, Application(engine), host="127.0.0.1", port=0, threads=16, max_body_bytes=1 << 28)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    del opened
    os._exit(0)


def _set_address(host: str, port: int) -> None:
    """
    Have the engine answer a constant: a string of libc++'s short kind, and behind it the port.

    It asks when a table begins to replicate. On the way the scheme and the credentials of the interserver get
    values, which lie behind the host in the engine's shared context: else the first fetch reads from address 0.
    """
    at = _address_code()
    assert at is not None
    text = host.encode().ljust(23, b"\0") + bytes([len(host)])
    code = b"\x48\x8b\x16"  # mov rdx, [rsi]: the shared context
    code += _LOAD + b"http\0\0\0\0" + b"\x48\x89\x82" + struct.pack("<I", _HOST + 0x20)
    code += b"\xc6\x82" + struct.pack("<IB", _HOST + 0x37, len("http"))
    code += _LOAD + struct.pack("<Q", ctypes.addressof(_NO_CREDENTIALS))
    code += b"\x48\x89\x82" + struct.pack("<I", _HOST + 0x60)
    for place in (0, 8, 16):
        code += _LOAD + text[place : place + 8] + b"\x48\x89\x47" + bytes([place])  # mov [rdi + place], rax
    code += b"\x66\xc7\x47\x18" + struct.pack("<H", port)  # mov word [rdi + 24], port
    code += b"\x48\x89\xf8\xc3"  # mov rax, rdi; ret
    address = _mapped(at)
    pages = address & -mmap.PAGESIZE
    libc = ctypes.CDLL(None)
    assert libc.mprotect(ctypes.c_void_p(pages), ctypes.c_size_t(2 * mmap.PAGESIZE), 7) == 0
    ctypes.memmove(address, code, len(code))


def _mapped(offset: int) -> int:
    """Where a byte of the engine's file is in memory."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[5].endswith(_engine_library().name):
            begin, end = (int(bound, 16) for bound in fields[0].split("-"))
            if 0 <= offset - int(fields[2], 16) < end - begin:
                return begin + offset - int(fields[2], 16)
    raise AssertionError("the engine is not loaded")


class _Parts(BaseHTTPRequestHandler):
    """Sends the files of a part to a replica that asks for it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the client's method
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        known = json.loads((self.server.folder / "replicas.json").read_text())  # type: ignore[attr-defined]
        folder = known.get(asked["endpoint"].removeprefix("DataPartsExchange:"))
        path = Path(folder or "/nonexistent") / asked["part"]
        try:
            body = _sent(path)
        except OSError as error:
            self._answer(500, f"no part: {error}".encode())
            return
        self._answer(200, body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Set-Cookie", "server_protocol_version=4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _sent(path: Path) -> bytes:
    files = {file.name: file.read_bytes() for file in sorted(path.iterdir()) if file.is_file()}
    files = {name: content for name, content in files.items() if name != "txn_version.txt"}
    ages = files.get("ttl.txt", b'ttl format version: 1\n{"columns":[]}')
    kind = b"Compact" if "data.bin" in files else b"Wide"
    sent = struct.pack("<Q", sum(map(len, files.values()))) + _text(ages) + _text(kind)
    sent += struct.pack("<Q", len(files))
    for name, content in files.items():
        sent += _text(name.encode()) + struct.pack("<Q", len(content)) + content + _hash(content)
    return sent


def _text(text: bytes) -> bytes:
    length, prefix = len(text), b""
    while length > 127:
        prefix, length = prefix + bytes([length & 127 | 128]), length >> 7
    return prefix + bytes([length]) + text


def _hash(content: bytes) -> bytes:
    """As the engine's HashingWriteBuffer: CityHash128 block by block, each with the one before as its seed."""
    state = (0, 0)
    for at in range(0, len(content), _HASHED_BLOCK):
        state = _seeded(content[at : at + _HASHED_BLOCK], *state)
    return struct.pack("<QQ", *state)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "ZooKeeper does not listen"
            time.sleep(0.05)
