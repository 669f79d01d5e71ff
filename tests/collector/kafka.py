"""A real Kafka broker, from Maven Central, as a process of its own on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.leaving_out import leave_out
from tests.serving import free_port
from tests.waiting import wait_until

VERSION: Final = "3.9.1"
_POM: Final = f"""
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>activitylog</groupId><artifactId>kafka</artifactId><version>{VERSION}</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


def jars() -> Path:
    """The folder of Kafka's jars, fetched once; without Java and Maven the test is left out, in CI it fails."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            leave_out(f"{program} is not installed, which Kafka needs")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "activitylog" / f"kafka-{VERSION}"
    if not folder.exists():
        scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
        scratch.mkdir(parents=True)
        (scratch / "pom.xml").write_text(_POM)
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={scratch}/jars"],
            cwd=scratch, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            leave_out(f"Kafka cannot be fetched: {done.stdout.strip()[-500:]}")
        (scratch / "jars").rename(folder)
        shutil.rmtree(scratch)
    return folder


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """A broker with four partitions a topic; gives its address."""
    classes = f"{jars()}/*"
    port, controller = free_port(), free_port()
    settings = folder / "server.properties"
    settings.write_text(
        "process.roles=broker,controller\nnode.id=1\n"
        f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
        "controller.listener.names=CONTROLLER\nnum.partitions=4\noffsets.topic.replication.factor=1\n"
        f"group.initial.rebalance.delay.ms=0\nlog.dirs={folder}/data\n"
    )
    tool = ["java", "-cp", classes, "kafka.tools.StorageTool"]
    subprocess.run(
        [*tool, "format", "-t", "AAAAAAAAQACAAAAAAAAAAA", "-c", settings], check=True, capture_output=True
    )
    with (folder / "kafka.log").open("wb") as log:
        process = subprocess.Popen(
            ["java", "-Xmx512m", "-cp", classes, "kafka.Kafka", settings], stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _listens(port, process, folder / "kafka.log"), 120)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(60)


def _listens(port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-2000:]
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
