"""The layers of both packages, as data: a module imports only from layers before its own."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

#: Packages beside activitylog. None of them knows another but the contract, nor activitylog.
EXPORTERS = ("otel_clickhouse", "otel_delivery", "otel_otlp", "otel_spool")
#: The contract between them. Everybody may know it, and it knows nobody.
CONTRACT = "otel_delivery"
#: What activitylog imports of them by name; the exporters it finds by their entry points.
IMPORTED_BY_NAME = {
    "otel_clickhouse.anyvalue": {"seals"},
    "otel_clickhouse.unstored": {"server", "store"},
    "otel_delivery": {"routing", "integrations"},
    "otel_delivery.reasons": {"provider"},
    "otel_spool": {"spooling", "draining", "spools", "cli", "store"},
}

PACKAGES = {name: Path(importlib.import_module(name).__path__[0]) for name in ("activitylog", *EXPORTERS)}

#: Layers of the emitting side, then of the storing side; the command line is above both.
ACTIVITYLOG = [
    ["visible"],
    ["_version", "exceptions", "event", "forked", "attribute_types", "sightings"],
    ["entities", "context", "sanitize", "identity", "url", "stats", "redaction", "store_settings", "toml_file"],
    ["carrying", "counters_place", "error_log", "ticker", "estimates"],
    ["rules", "settings_file"],
    ["sampling", "counters"],
    ["rollup", "explanation", "seals", "counter_records"],
    ["thinning", "escaping", "admission"],
    ["processors", "output", "typed", "setting_values"],
    ["settings", "routing", "simulation", "chain", "catalogue"],
    ["losses"],
    ["metrics"],
    ["provider", "destinations", "spooling"],
    ["logger_provider"],
    ["draining", "spools", "outlet", "bulk"],
    ["pipeline"],
    ["assembly"],
    ["config"],
    ["deferred", "emit", "testing"],
    ["pytest_plugin", "integrations"],
]
STORE = [
    ["visible"],
    ["exceptions", "event", "attribute_types", "sightings"],
    ["url", "store_settings", "seals"],
    ["store", "ingest"],
    ["queries", "server", "collector"],
    ["dashboards"],
]
OTEL_CLICKHOUSE = [
    ["exceptions"],
    ["anyvalue", "dsn", "embedded", "environment_variables", "insert_settings", "reentrancy", "unstored"],
    ["retry", "verdicts"],
    ["holders"],
    ["mapping"],
    ["layout"],
    ["attributes"],
    ["encoder", "translation"],
    ["http_answers"],
    ["client"],
    ["pool", "presence", "schema", "testing", "window"],
    ["arguments", "halving"],
    ["delivery"],
    ["exporter"],
]
OTEL_DELIVERY = [
    ["answer", "forks", "printable", "proxy_url", "reasons", "reentrancy", "under_way", "waiting"],
    ["delivers_batches", "rare_log"],
    ["losses"],
]
OTEL_OTLP = [
    ["exceptions", "reentrancy", "first_use", "holdable"],
    ["environment_variables", "secrets", "retry_after", "deadline", "request"],
    ["endpoint", "headers", "tls_files"],
    ["proxy"],
    ["acknowledgement", "http_statuses"],
    ["http_answers", "grpc_statuses"],
    ["http_transport", "grpc_transport"],
    ["exporter"],
    ["http_exporter", "grpc_exporter"],
]

OTEL_SPOOL = [
    [
        "commit",
        "context",
        "exceptions",
        "filesystem",
        "frame",
        "ledger",
        "log",
        "ranges",
        "stats",
        "threads",
    ],
    ["codec", "delivery", "quarantine", "replacement", "reserve"],
    ["journal", "late_exporter", "segment"],
    ["dead_letters", "folder", "options", "syncing"],
    ["accounts", "encoding", "status"],
    ["adopted", "writer"],
    ["inspection", "room"],
    ["spool"],
    ["sending"],
    ["backlog", "live_queue"],
    ["worker"],
    ["drain", "processor"],
]
EXPORTER_LAYERS = dict(
    zip(EXPORTERS, (OTEL_CLICKHOUSE, OTEL_DELIVERY, OTEL_OTLP, OTEL_SPOOL), strict=True),
)


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


@pytest.mark.slow
@pytest.mark.parametrize("layers", [ACTIVITYLOG, STORE], ids=["emitting", "storing"])
def test_activitylog_imports_downwards(layers: list[list[str]]) -> None:
    """Data flows one way."""
    assert wrong_imports("activitylog", layers) == []


@pytest.mark.parametrize(("package", "layers"), EXPORTER_LAYERS.items(), ids=EXPORTERS)
def test_the_exporters_import_downwards(package: str, layers: list[list[str]]) -> None:
    """Each has layers of its own."""
    assert wrong_imports(package, layers) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_do_not_know_each_other(package: str) -> None:
    """They meet in OpenTelemetry's interfaces and the contract; what activitylog imports by name is listed."""
    assert not [
        f"{name} imports {dotted}"
        for name, imported in modules(PACKAGES[package]).items()
        for dotted in imported
        if dotted.split(".")[0] in PACKAGES.keys() - {package, *(() if package == "activitylog" else (CONTRACT,))}
        if not (package == "activitylog" and _is_listed(name.split("/")[0].removesuffix(".py"), dotted))
    ]


def _is_listed(own: str, dotted: str) -> bool:
    return any(
        own in importers and f"{dotted}.".startswith(f"{name}.") for name, importers in IMPORTED_BY_NAME.items()
    )


@pytest.mark.slow
def test_the_storing_side_never_imports_the_chain() -> None:
    """Of the chain only destinations.py reaches for the store, for its URLs, and integrations that show it."""
    chain = {name for layer in ACTIVITYLOG for name in layer} - {name for layer in STORE for name in layer}
    storing = {"store", "queries", "server", "ingest", "dashboards", "collector"}
    wrong = []
    for name, imported in modules(PACKAGES["activitylog"]).items():
        own = name.split("/")[0].removesuffix(".py")
        for dotted in imported:
            if dotted.split(".")[0] != "activitylog":
                continue
            if own in storing and part(dotted) in chain - {"_version"}:
                wrong.append(f"{name} imports {dotted}")
            if own in chain - {"destinations", "integrations"} and part(dotted) in storing:
                wrong.append(f"{name} imports {dotted}")
    assert wrong == []


@pytest.mark.slow
def test_every_module_has_a_layer() -> None:
    """A new module must be given its place here."""
    known = {name for layer in [*ACTIVITYLOG, *STORE] for name in layer} | {"cli", "__init__", "__main__"}
    parts = {name.split("/")[0].removesuffix(".py") for name in modules(PACKAGES["activitylog"])}
    assert parts - known == set()
    for package, layers in EXPORTER_LAYERS.items():
        known = {name for layer in layers for name in layer} | {"__init__"}
        assert {name.removesuffix(".py") for name in modules(PACKAGES[package])} - known == set()
