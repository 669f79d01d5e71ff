"""Server, engine and driver: are they what we need?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Verdict, error, ok, warning, worst

#: The text index, and views that keep an insert's deduplication.
LEAST_SERVER: Final = (26, 3)
_LEAST_DRIVER: Final = (1, 12)
_LEAST_ENGINE: Final = (4, 4)


@dataclass(frozen=True, slots=True)
class Versions:
    """``server`` is the engine's; ``engine_package`` is chDB's own, empty where it is not used."""

    server: str
    driver: str
    engine_package: str
    activitylog: str


def ask_versions(examined: Examined) -> Versions:
    """Ask the server and the installed packages."""
    return Versions(
        server=str(examined.database.row("SELECT version() AS version")["version"]),
        driver=_installed("clickhouse-connect"),
        engine_package=_installed("chdb") if examined.embedded else "",
        activitylog=_installed("activitylog"),
    )


def judge_versions(versions: Versions) -> Verdict:
    """Compare them with the oldest that we know to work."""
    found = f"ClickHouse {versions.server}, clickhouse-connect {versions.driver}"
    found += f", chDB {versions.engine_package}" if versions.engine_package else ""
    found += f", activitylog {versions.activitylog}"
    problems = []
    if _numbers(versions.server) < LEAST_SERVER:
        problems.append(
            error(
                f"ClickHouse {versions.server} is older than {'.'.join(map(str, LEAST_SERVER))}",
                found,
                do=("# Upgrade the server: the text index needs 26.2, a setting of the table 26.3 (LTS).",),
            )
        )
    if _numbers(versions.driver) < _LEAST_DRIVER:
        problems.append(
            warning(
                f"clickhouse-connect {versions.driver} is older than 1.12",
                do=("pip install --upgrade 'clickhouse-connect>=1.12,<2'",),
            )
        )
    if versions.engine_package and _numbers(versions.engine_package) < _LEAST_ENGINE:
        problems.append(
            warning(
                f"chDB {versions.engine_package} is older than 4.4",
                do=("pip install --upgrade 'activitylog[embedded]'",),
            )
        )
    return worst(*problems) if problems else ok(found)


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:2])


VERSIONS: Final = Check(
    "versions",
    "Versions",
    "An older server refuses the tables, or takes them and counts a batch twice that is sent twice.",
    ask_versions,
    judge_versions,
)
