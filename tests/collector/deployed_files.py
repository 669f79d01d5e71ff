"""What files of a deployment say of a Collector: its configuration as it reads it, and whether it would start."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.collector.otelcol import CONFIG, built

IMAGE: Final = "otel/opentelemetry-collector-contrib"
#: Read by Go itself.
_OF_GO: Final = {"GOMEMLIMIT"}
_VARIABLE: Final = re.compile(r"\$\{env:(\w+)(?::-([^}]*))?\}")


def release() -> str:
    """The Collector's release, as builder.yaml has it."""
    return str(yaml.safe_load((CONFIG / "builder.yaml").read_text())["dist"]["version"])


class Collector:
    """
    A configuration with the variables of its environment.

    Args:
        configuration: the text of its file.
        environment: what the deployment sets.
    """

    def __init__(self, configuration: str, environment: Mapping[str, str]) -> None:
        self.text = configuration
        self.environment = dict(environment)
        without_comments = re.sub(r"^\s*#.*", "", configuration, flags=re.MULTILINE)
        self.variables = {found[1] for found in _VARIABLE.finditer(without_comments)}
        self.expanded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(self._value, without_comments))

    def _value(self, found: re.Match[str]) -> str:
        return self.environment.get(found[1]) or found[2] or ""

    @property
    def unknown(self) -> set[str]:
        """Variables that are set, and that nobody reads."""
        return set(self.environment) - self.variables - _OF_GO

    @property
    def limit_mib(self) -> int:
        """Where the memory limiter begins to refuse."""
        return int(self.expanded["processors"]["memory_limiter"]["limit_mib"])

    @property
    def gomemlimit_mib(self) -> int:
        """Where Go collects garbage harder."""
        return int(self.environment["GOMEMLIMIT"].removesuffix("MiB"))

    @property
    def exporter(self) -> dict[str, Any]:
        """Its only one."""
        (found,) = self.expanded["exporters"].values()
        return dict(found)

    @property
    def queue_directory(self) -> str:
        """Where its queue is."""
        return str(self.expanded["extensions"]["file_storage/queue"]["directory"])

    @property
    def queue_bytes(self) -> int:
        """How much may wait."""
        queue = self.exporter["sending_queue"]
        assert queue["sizer"] == "bytes"
        return int(queue["queue_size"])

    @property
    def timeout_seconds(self) -> int:
        """The longest attempt of its exporter."""
        return int(self.exporter["timeout"].removesuffix("s"))

    def listens(self) -> dict[str, str]:
        """Host and port of what it listens on."""
        protocols = self.expanded["receivers"]["otlp"]["protocols"]
        (reader,) = self.expanded["service"]["telemetry"]["metrics"]["readers"]
        metrics = reader["pull"]["exporter"]["prometheus"]
        return {
            "otlp-grpc": protocols["grpc"]["endpoint"],
            "otlp-http": protocols["http"]["endpoint"],
            "health": self.expanded["extensions"]["health_check"]["endpoint"],
            "metrics": f"{metrics['host']}:{metrics['port']}",
        }

    def check_memory(self, container_mib: float) -> None:
        """The limits fit into each other: Go's at 80 % of the limiter's, that one well below the container's."""
        assert self.gomemlimit_mib == self.limit_mib * 8 // 10
        assert self.expanded["processors"]["memory_limiter"]["spike_limit_mib"] < self.limit_mib
        assert self.limit_mib * 1.5 <= container_mib

    def validate(self, folder: Path) -> None:
        """The Collector itself takes the configuration, with these variables and no others."""
        file = folder / "configuration.yaml"
        file.write_text(self.text)
        command = [str(built()), "validate", "--config", str(file)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
