"""The layers of both packages, as data: a module imports only from layers before its own."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PACKAGES = {name: Path(importlib.import_module(name).__path__[0]) for name in ("activitylog", "otel_clickhouse")}

#: Layers of the emitting side, then of the storing side; the command line is above both.
ACTIVITYLOG = [
    ["visible"],
    ["_version", "exceptions", "event"],
    ["entities", "context", "sanitize", "identity", "url", "stats", "redaction", "store_settings", "toml_file"],
    ["error_log", "ticker", "estimates"],
    ["rules", "settings_file"],
    ["sampling", "counters"],
    ["rollup", "explanation"],
    ["thinning", "escaping", "admission"],
    ["processors", "output", "typed", "setting_values"],
    ["settings", "routing", "simulation"],
    ["provider", "destinations"],
    ["pipeline"],
    ["config"],
    ["emit", "testing"],
    ["pytest_plugin", "integrations"],
]
STORE = [
    ["visible"],
    ["exceptions", "event"],
    ["url", "store_settings"],
    ["store", "ingest"],
    ["queries", "server"],
    ["dashboards"],
]
OTEL_CLICKHOUSE = [
    ["printable"],
    ["exceptions"],
    ["anyvalue", "dsn", "embedded", "environment_variables", "reentrancy", "retry"],
    ["holders", "losses"],
    ["mapping"],
    ["layout"],
    ["attributes"],
    ["encoder"],
    ["client"],
    ["pool", "schema", "testing"],
    ["exporter"],
]


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(package: Path) -> dict[str, set[str]]:
    """For each file, the first part of its name inside the package, and what it imports."""
    return {str(path.relative_to(package)): imports(path) for path in sorted(package.rglob("*.py"))}


def part(dotted: str) -> str:
    """``activitylog.store.client.connect`` -> ``store``."""
    return [*dotted.split("."), ""][1]


def level(layers: list[list[str]], name: str) -> int | None:
    """The index of the layer a part is in."""
    return next((index for index, layer in enumerate(layers) if name in layer), None)


def wrong_imports(package: str, layers: list[list[str]]) -> list[str]:
    """Imports from a layer that is not before the file's own."""
    wrong = []
    for name, imported in modules(PACKAGES[package]).items():
        own = name.split("/")[0].removesuffix(".py")
        own_level = level(layers, own)
        if own_level is None:
            continue
        for dotted in imported:
            if dotted.split(".")[0] != package or part(dotted) == own:
                continue
            other = level(layers, part(dotted))
            if other is not None and other >= own_level:
                wrong.append(f"{name} imports {dotted}")
    return wrong


@pytest.mark.parametrize("layers", [ACTIVITYLOG, STORE], ids=["emitting", "storing"])
def test_activitylog_imports_downwards(layers: list[list[str]]) -> None:
    """Data flows one way."""
    assert wrong_imports("activitylog", layers) == []


def test_otel_clickhouse_imports_downwards() -> None:
    """The exporter's own layers."""
    assert wrong_imports("otel_clickhouse", OTEL_CLICKHOUSE) == []


def test_the_two_packages_do_not_know_each_other() -> None:
    """They meet in OpenTelemetry's LogRecordExporter, by its entry point."""
    assert not [
        f"{name} imports {dotted}"
        for package, other in (("activitylog", "otel_clickhouse"), ("otel_clickhouse", "activitylog"))
        for name, imported in modules(PACKAGES[package]).items()
        for dotted in imported
        if dotted.split(".")[0] == other
    ]


def test_the_storing_side_never_imports_the_chain() -> None:
    """And of the chain only destinations.py reaches for the store, when a ClickHouse URL is used."""
    chain = {name for layer in ACTIVITYLOG for name in layer} - {name for layer in STORE for name in layer}
    storing = {"store", "queries", "server", "ingest", "dashboards"}
    wrong = []
    for name, imported in modules(PACKAGES["activitylog"]).items():
        own = name.split("/")[0].removesuffix(".py")
        for dotted in imported:
            if dotted.split(".")[0] != "activitylog":
                continue
            if own in storing and part(dotted) in chain - {"_version"}:
                wrong.append(f"{name} imports {dotted}")
            if own in chain and own != "destinations" and part(dotted) in storing:
                wrong.append(f"{name} imports {dotted}")
    assert wrong == []


def test_every_module_has_a_layer() -> None:
    """A new module must be given its place here."""
    known = {name for layer in [*ACTIVITYLOG, *STORE] for name in layer} | {"cli", "__init__", "__main__"}
    parts = {name.split("/")[0].removesuffix(".py") for name in modules(PACKAGES["activitylog"])}
    assert parts - known == set()
    known = {name for layer in OTEL_CLICKHOUSE for name in layer} | {"__init__"}
    assert {name.removesuffix(".py") for name in modules(PACKAGES["otel_clickhouse"])} - known == set()
