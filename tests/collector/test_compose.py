"""
What collector-config/compose says, held against the configurations it is about. Compose itself is not needed.

One test does by hand what the services do, with ``activitylog serve`` in ClickHouse's place.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from activitylog.dashboards import grafana_dashboard
from tests.collector.deployed_files import IMAGE, Collector, release
from tests.collector.deployment import count, wait_for_rows
from tests.collector.otelcol import CONFIG, Otelcol
from tests.serving import ServedStore

ROOT: Final = CONFIG.parent
FOLDER: Final = CONFIG / "compose"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
COLLECTORS: Final = ["agent", "gateway"]
_ENV: Final = (FOLDER / ".env.example").read_text()
PASSWORDS: Final = dict.fromkeys(re.findall(r"^(\w+)=$", _ENV, re.MULTILINE), "s3")
_EVENTS: Final = 5_000


def environment(name: str) -> dict[str, str]:
    """A service's variables, with passwords."""

    def value(found: re.Match[str]) -> str:
        return PASSWORDS[found[1]]

    given = SERVICES[name].get("environment", {})
    return {variable: re.sub(r"\$\{(\w+)[^}]*\}", value, text) for variable, text in given.items()}


def mounts(name: str) -> dict[str, str]:
    """What is mounted in a service: the target, and where it comes from."""
    parts = [mount.split(":") for mount in SERVICES[name].get("volumes", [])]
    return {part[1]: part[0] for part in parts}


def collector(name: str) -> Collector:
    """A Collector's service, with the file that its command names."""
    (argument,) = SERVICES[name]["command"]
    file = FOLDER / mounts(name)[argument.removeprefix("--config=")]
    return Collector(file.read_text(), environment(name))


class TestServices:
    def test_are_those(self) -> None:
        """From services to the dashboard, and what makes that ready."""
        assert sorted(SERVICES) == [
            "agent", "clickhouse", "demo", "gateway", "grafana", "queue-owner", "schema"
        ]  # fmt: skip
        assert "version" not in COMPOSE

    def test_images_are_pinned(self) -> None:
        """To a release; our own one is built here and never pulled."""
        for name, service in SERVICES.items():
            image, _, tag = service["image"].rpartition(":")
            if image == "activitylog":
                assert service["pull_policy"] == "never", name
            else:
                assert re.fullmatch(r"\d+\.\d+\.\d+[.\d]*", tag), name
        built_here = [name for name, service in SERVICES.items() if "build" in service]
        assert built_here == ["schema"]
        plugin = SERVICES["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
        assert re.fullmatch(r"grafana-clickhouse-datasource@\d+\.\d+\.\d+", plugin)

    @pytest.mark.parametrize("name", COLLECTORS)
    def test_collectors_are_of_the_builders_release(self, name: str) -> None:
        """One release everywhere."""
        assert SERVICES[name]["image"] == f"{IMAGE}:{release()}"

    def test_ports_are_on_loopback(self) -> None:
        """Nobody else reaches them."""
        ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert len(ports) == 4
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports), ports

    def test_what_is_mounted_exists(self) -> None:
        """Files are there, and read only; volumes are declared, and used."""
        used = set()
        for service in SERVICES.values():
            for mount in service.get("volumes", []):
                source = mount.split(":")[0]
                if source.startswith("."):
                    assert (FOLDER / source).exists(), source
                    assert mount.endswith(":ro"), mount
                else:
                    used.add(source)
        assert used == set(COMPOSE["volumes"])

    def test_services_wait_for_services(self) -> None:
        """For those that are there; for the end of those that end, and the health of those that tell it."""
        for service in SERVICES.values():
            for name, dependency in service.get("depends_on", {}).items():
                condition = dependency["condition"]
                assert condition != "service_healthy" or "healthcheck" in SERVICES[name]
                ends = "restart" not in SERVICES[name]
                assert ends == (condition == "service_completed_successfully"), name

    def test_passwords_are_in_no_file(self) -> None:
        """They are in .env, whose names are in .env.example: those that are read, and no others."""
        text = (FOLDER / "docker-compose.yaml").read_text()
        assert set(re.findall(r"\$\{(\w+)", text)) == set(PASSWORDS)
        for name, service in SERVICES.items():
            for variable, value in service.get("environment", {}).items():
                assert "PASSWORD" not in variable or value.startswith("${"), name
        assert ".env" in (ROOT / ".gitignore").read_text().split()


@pytest.mark.parametrize("name", COLLECTORS)
class TestCollectors:
    def test_variables_are_read(self, name: str) -> None:
        """Each that is set."""
        assert collector(name).unknown == set()

    def test_listen_where_others_reach_them(self, name: str) -> None:
        """On the container's network, at the ports that are published."""
        listens = collector(name).listens()
        published = [port.split(":")[-1] for port in SERVICES[name].get("ports", [])]
        assert listens["otlp-grpc"] == "0.0.0.0:4317"
        assert [f"0.0.0.0:{port}" for port in published] in (
            [],
            [listens["otlp-grpc"], listens["otlp-http"]],
        )

    def test_queues_are_on_volumes(self, name: str) -> None:
        """Of their own, that the image's user may write to."""
        volume = mounts(name)[collector(name).queue_directory]
        owner = SERVICES["queue-owner"]
        assert volume == f"{name}-queue"
        owned = [target for target, source in mounts("queue-owner").items() if source == volume]
        assert len(owned) == 1
        assert owner["command"][:2] == ["chown", "10001:10001"]
        assert owned[0] in owner["command"]
        assert SERVICES[name]["depends_on"]["queue-owner"]["condition"] == "service_completed_successfully"

    def test_memory(self, name: str) -> None:
        """One limit in the other."""
        collector(name).check_memory(float(SERVICES[name]["mem_limit"].removesuffix("m")))

    def test_end_in_time(self, name: str) -> None:
        """A request under way is finished."""
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > collector(name).timeout_seconds

    @pytest.mark.slow
    def test_the_collector_takes_the_configuration(self, name: str, otelcol: None, tmp_path: Path) -> None:
        """With these variables and no others."""
        collector(name).validate(tmp_path)


class TestTheImage:
    DOCKERFILE: Final = (FOLDER / "Dockerfile").read_text()

    def test_what_is_copied_is_let_in(self) -> None:
        """It is in the repository, and .dockerignore says so."""
        ignore = (FOLDER / "Dockerfile.dockerignore").read_text().split("\n")
        lines = re.findall(r"^COPY (.*) \S+$", self.DOCKERFILE, re.MULTILINE)
        copied = " ".join(lines).split()
        assert sorted(copied) == sorted(line[1:] for line in ignore if line.startswith("!"))
        assert all((ROOT / source).exists() for source in copied)
        build = SERVICES["schema"]["build"]
        assert (FOLDER / build["context"]).resolve() == ROOT
        assert ROOT / build["dockerfile"] == FOLDER / "Dockerfile"

    def test_folders_for_volumes_are_its_users(self) -> None:
        """A new volume takes over their owner, and the image's user may write there."""
        (line,) = re.findall(r"^RUN install -d -o 10001 -g 10001 (.*)$", self.DOCKERFILE, re.MULTILINE)
        assert line.split() == [*mounts("schema"), *mounts("demo")]
        assert "\nUSER 10001:10001\n" in self.DOCKERFILE


class TestGrafana:
    def test_finds_data_source_and_dashboard(self) -> None:
        """Where they are mounted, of the dashboard's type, and with the password of its environment."""
        (source,) = yaml.safe_load((FOLDER / "grafana/datasources/clickhouse.yaml").read_text())["datasources"]
        (provider,) = yaml.safe_load((FOLDER / "grafana/dashboards/activity.yaml").read_text())["providers"]
        (variable,) = [one for one in grafana_dashboard()["templating"]["list"] if one["type"] == "datasource"]
        assert source["type"] == variable["query"]
        assert source["isDefault"]
        gateway = environment("gateway")
        assert source["jsonData"]["defaultDatabase"] == gateway["CLICKHOUSE_DATABASE"]
        address = source["jsonData"]
        assert f"{address['protocol']}://{address['host']}:{address['port']}" == gateway["CLICKHOUSE_ENDPOINT"]
        assert source["secureJsonData"]["password"].removeprefix("$") in environment("grafana")
        assert mounts("grafana")[provider["options"]["path"]] == "dashboards"


@pytest.mark.slow
def test_the_services_by_hand(otelcol: None, served_store: ServedStore, tmp_path: Path) -> None:
    """The commands of schema, gateway, agent and demo, one after the other: all events are in the table."""
    database = "compose"
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def run(name: str, *command: str, **more: str) -> None:
        variables = {**own, "ACTIVITYLOG_SPOOL_DIRECTORY": str(tmp_path / "spool"), **more}
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, (name, done.stderr)

    shell, option, script = SERVICES["schema"]["command"]
    url = served_store.url.replace("/default", f"/{database}")
    run("schema", shell, option, script.replace("/dashboards/", f"{tmp_path}/"), ACTIVITYLOG_URL=url)
    assert json.loads((tmp_path / "activity.json").read_text()) == grafana_dashboard()

    here = {
        "CLICKHOUSE_ENDPOINT": f"http://127.0.0.1:{served_store.port}",
        "CLICKHOUSE_DATABASE": database,
        "CLICKHOUSE_USER": "default",
        "CLICKHOUSE_PASSWORD": "",
        "BATCH_FLUSH": "200ms",
    }
    addresses = ("OTLP_GRPC_ENDPOINT", "OTLP_HTTP_ENDPOINT")
    of_gateway = {**environment("gateway"), **here}
    of_agent = {name: value for name, value in environment("agent").items() if name not in addresses}
    with (
        Otelcol(["gateway.yaml"], tmp_path / "gateway", environment=of_gateway) as gateway,
        Otelcol(
            ["agent.yaml"], tmp_path / "agent", environment={**of_agent, "GATEWAY_ENDPOINT": gateway.grpc}
        ) as agent,
    ):
        program, file, _ = SERVICES["demo"]["command"]
        run("demo", program, f"{ROOT}{file}", f"otlp://{agent.grpc}")
        client = served_store.client()
        wait_for_rows(client, _EVENTS, database)
        assert count(client, database) == _EVENTS
        client.close()
