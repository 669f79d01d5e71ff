"""
What `kubectl apply -k collector-config` would apply, held against the configurations it is about; without and with
the load balancers. kubectl is needed, a cluster is not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from activitylog import __version__
from tests.collector.deployed_files import IMAGE, Collector, release
from tests.collector.otelcol import CONFIG
from tests.leaving_out import leave_out

#: Kubernetes' suffixes, in MiB.
_MIB: Final = {"Mi": 1, "Gi": 1024}
_BASE: Final = ["DaemonSet/agent", "Job/schema", "StatefulSet/gateway"]
_WITH_LOAD_BALANCERS: Final = [*_BASE, "StatefulSet/load-balancer"]


def mib(quantity: str) -> int:
    """Of Kubernetes' ``384Mi``."""
    return int(quantity[:-2]) * _MIB[quantity[-2:]]


def rendered(folder: Path) -> list[dict[str, Any]]:
    """What kubectl makes of a kustomization."""
    if shutil.which("kubectl") is None:
        leave_out("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def overlay(folder: Path, *lines: str, load_balancers: bool = True) -> Path:
    """A kustomization somewhere else, with this one among its resources."""
    collector_config = os.path.relpath(CONFIG, folder)
    document: dict[str, Any] = {"resources": [collector_config]}
    if load_balancers:
        document["components"] = [f"{collector_config}/kubernetes/load-balancer"]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(document) + "\n".join(lines))
    return folder


class Deployed:
    """
    The objects of a deployment.

    Args:
        objects: as they were rendered.
        workloads: that belong to it, as ``Kind/name``.
    """

    def __init__(self, objects: list[dict[str, Any]], workloads: list[str]) -> None:
        self.objects = objects
        self.workloads = [(name, self.one(*name.split("/"))) for name in workloads]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The object of a kind with a name."""
        (found,) = [one for one in self.all(kind) if one["metadata"]["name"] == name]
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The objects of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def containers(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Each container with the name of its workload, and its pod."""
        for name, workload in self.workloads:
            pod = workload["spec"]["template"]["spec"]
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                yield name, pod, container

    def collectors(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """The containers that are Collectors."""
        for name, pod, container in self.containers():
            if container["name"] == "otelcol":
                yield name, pod, container

    def collector(self, pod: dict[str, Any], container: dict[str, Any]) -> Collector:
        """What a container runs: the file of a ConfigMap that its argument names, with its variables."""
        (argument,) = container["args"]
        folder, _, file = argument.removeprefix("--config=").rpartition("/")
        volume = self.volume(pod, container, folder)
        files = self.one("ConfigMap", volume["configMap"]["name"])["data"]
        return Collector(files[file], self.variables(container))

    def variables(self, container: dict[str, Any]) -> dict[str, str]:
        """All that its environment has; a secret is a word."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            found |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        for variable in container.get("env", []):
            found[variable["name"]] = variable.get("value", "secret")
        return found

    @staticmethod
    def volume(pod: dict[str, Any], container: dict[str, Any], path: str) -> dict[str, Any]:
        """What is mounted at a path; a claim of a StatefulSet is only its name."""
        (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == path]
        volumes: dict[str, dict[str, Any]] = {one["name"]: one for one in pod.get("volumes", [])}
        return volumes.get(mount["name"], {"name": mount["name"]})


@pytest.fixture(scope="module", params=["as it is", "with load balancers"])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """The agents and gateways, and the load balancers in the second run."""
    if request.param == "as it is":
        return Deployed(rendered(CONFIG), _BASE)
    return Deployed(rendered(overlay(tmp_path_factory.mktemp("overlay"))), _WITH_LOAD_BALANCERS)


class TestObjects:
    def test_are_those(self, deployed: Deployed) -> None:
        """No others, all in one namespace."""
        found = {f"{one['kind']}/{one['metadata']['name']}" for one in deployed.objects}
        kinds = ("DaemonSet", "Deployment", "Job", "StatefulSet")
        assert sorted(name for name in found if name.startswith(kinds)) == [name for name, _ in deployed.workloads]
        namespaces = {one["metadata"].get("namespace") for one in deployed.objects if one["kind"] != "Namespace"}
        assert namespaces == {"activitylog"}
        assert not deployed.all("Secret")

    def test_images_are_pinned(self, deployed: Deployed) -> None:
        """Collectors to the builder's release, our own to this version."""
        for name, _, container in deployed.containers():
            image, _, tag = container["image"].rpartition(":")
            assert re.fullmatch(r"\d+\.\d+\.\d+", tag), name
            assert image != IMAGE or tag == release()
            assert not image.endswith("/activitylog") or tag == __version__
        assert all(container["image"].startswith(f"{IMAGE}:") for _, _, container in deployed.collectors())

    def test_services_lead_to_pods(self, deployed: Deployed) -> None:
        """By their labels and the names of their ports."""
        templates = [workload["spec"]["template"] for _, workload in deployed.workloads]
        pods = {one["metadata"]["labels"]["app.kubernetes.io/name"]: one["spec"] for one in templates}
        for service in deployed.all("Service"):
            (container,) = pods[service["spec"]["selector"]["app.kubernetes.io/name"]]["containers"]
            names = {port["name"]: port["containerPort"] for port in container["ports"]}
            for port in service["spec"]["ports"]:
                assert names[port["targetPort"]] == port["port"]
        for budget in deployed.all("PodDisruptionBudget"):
            assert budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] in pods

    def test_collectors_send_to_services(self, deployed: Deployed) -> None:
        """That have an address for each pod; agents are asked on their own node."""
        services = {service["metadata"]["name"]: service["spec"] for service in deployed.all("Service")}
        for name, workload in deployed.workloads:
            if name.startswith("StatefulSet"):
                assert services[workload["spec"]["serviceName"]]["clusterIP"] == "None"
        for _, _, container in deployed.collectors():
            variables = deployed.variables(container)
            if "GATEWAY_ENDPOINT" in variables:
                host, port = variables["GATEWAY_ENDPOINT"].split(":")
                assert services[host]["clusterIP"] == "None"
                assert int(port) in [one["port"] for one in services[host]["ports"]]
            if "GATEWAY_HOSTNAME" in variables:
                assert services[variables["GATEWAY_HOSTNAME"]]["clusterIP"] == "None"
        assert services["agent"]["internalTrafficPolicy"] == "Local"

    def test_secrets_are_only_referred_to(self, deployed: Deployed) -> None:
        """By the name and the keys that kustomization.yaml tells to make."""
        told = (CONFIG / "kustomization.yaml").read_text()
        found = [
            variable["valueFrom"]["secretKeyRef"]
            for _, _, container in deployed.containers()
            for variable in container.get("env", [])
            if "valueFrom" in variable
        ]
        assert {one["name"] for one in found} == {"clickhouse"}
        assert {one["key"] for one in found} == set(re.findall(r"--from-literal=([a-z-]+)=", told))
        assert "create secret generic clickhouse " in told


class TestCollectors:
    def test_variables_are_read(self, deployed: Deployed) -> None:
        """Each that is set."""
        for name, pod, container in deployed.collectors():
            assert deployed.collector(pod, container).unknown == set(), name

    def test_listen_where_others_reach_them(self, deployed: Deployed) -> None:
        """On the pod's network, at the ports of the container; probes ask the one for health."""
        for name, pod, container in deployed.collectors():
            ports = {port["name"]: f"0.0.0.0:{port['containerPort']}" for port in container["ports"]}
            assert deployed.collector(pod, container).listens() == ports, name
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container[probe]["httpGet"]["port"] == "health"

    def test_queues_are_on_disks_that_stay(self, deployed: Deployed) -> None:
        """A claim of the pod's own, thrice as large as what may wait; an agent's is the node's disk."""
        for name, pod, container in deployed.collectors():
            collector = deployed.collector(pod, container)
            volume = deployed.volume(pod, container, collector.queue_directory)
            kind, _, of = name.partition("/")
            if kind == "DaemonSet":
                assert volume["hostPath"]["path"].startswith("/var/lib/otelcol")
                continue
            (claim,) = deployed.one(kind, of)["spec"]["volumeClaimTemplates"]
            assert claim["metadata"]["name"] == volume["name"]
            assert mib(claim["spec"]["resources"]["requests"]["storage"]) * 2**20 >= 3 * collector.queue_bytes, (
                name
            )
            assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"]

    def test_end_in_time(self, deployed: Deployed) -> None:
        """A request under way is finished."""
        for name, pod, container in deployed.collectors():
            assert pod["terminationGracePeriodSeconds"] > deployed.collector(pod, container).timeout_seconds, name

    def test_memory(self, deployed: Deployed) -> None:
        """One limit in the other."""
        for _, pod, container in deployed.collectors():
            deployed.collector(pod, container).check_memory(mib(container["resources"]["limits"]["memory"]))

    @pytest.mark.slow
    @pytest.mark.usefixtures("otelcol")
    def test_the_collector_takes_the_configurations(self, deployed: Deployed, tmp_path: Path) -> None:
        """As they are in the ConfigMaps, with the variables of the containers and no others."""
        for _, pod, container in deployed.collectors():
            deployed.collector(pod, container).validate(tmp_path)


class TestSecurity:
    def test_nobody_is_root_but_the_owner_of_a_folder(self, deployed: Deployed) -> None:
        """That one may chown and nothing else; nobody writes outside volumes, or talks to Kubernetes."""
        for name, pod, container in deployed.containers():
            own = container["securityContext"]
            makes_owner = container["name"] == "queue-owner"
            assert own.get("runAsUser", pod["securityContext"]["runAsUser"]) == (0 if makes_owner else 10001), name
            assert own.get("runAsNonRoot", pod["securityContext"]["runAsNonRoot"]) is not makes_owner
            assert own["capabilities"] == {"drop": ["ALL"], **({"add": ["CHOWN"]} if makes_owner else {})}
            assert own["readOnlyRootFilesystem"]
            assert not own["allowPrivilegeEscalation"]
            assert not pod["automountServiceAccountToken"]
            # A Service called gateway would set GATEWAY_PORT, which load-balancer.yaml reads.
            assert not pod["enableServiceLinks"]

    def test_the_owner_is_who_runs(self, deployed: Deployed) -> None:
        """The folder on the node becomes the Collector's."""
        (_, pod, container) = next(one for one in deployed.containers() if one[2]["name"] == "queue-owner")
        program, owner, folder = container["command"]
        assert program == "chown"
        assert owner == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
        assert "hostPath" in deployed.volume(pod, container, folder)

    def test_requests_and_limits(self, deployed: Deployed) -> None:
        """Every container has them, and no limit of CPU."""
        for name, _, container in deployed.containers():
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert set(requests) == {"cpu", "memory"}, name
            assert set(limits) == {"memory"}, name
            assert mib(requests["memory"]) <= mib(limits["memory"])


def test_another_namespace_and_release(tmp_path: Path) -> None:
    """A kustomization of one's own changes them everywhere, load balancers included."""
    own = overlay(tmp_path, "namespace: events", "images:", f"  - name: {IMAGE}", "    newTag: 9.9.9")
    found = Deployed(rendered(own), _WITH_LOAD_BALANCERS)
    assert {one["metadata"].get("namespace", "events") for one in found.objects} == {"events"}
    assert {container["image"] for _, _, container in found.collectors()} == {f"{IMAGE}:9.9.9"}


def test_the_component_in_its_place(tmp_path: Path) -> None:
    """The line of kustomization.yaml that is a comment does the same."""
    copy = shutil.copytree(CONFIG, tmp_path / "collector-config")
    kustomization = copy / "kustomization.yaml"
    uncommented = kustomization.read_text().replace("# components: ", "components: ")
    kustomization.write_text(uncommented)
    (tmp_path / "overlay").mkdir()

    def by_name(folder: Path) -> dict[str, Any]:
        found = rendered(folder)
        for _, _, container in Deployed(found, _WITH_LOAD_BALANCERS).containers():
            container.get("env", []).sort(key=lambda variable: variable["name"])
        return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}

    assert by_name(copy) == by_name(overlay(tmp_path / "overlay"))
