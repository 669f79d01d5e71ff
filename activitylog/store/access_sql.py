"""
Who may do what in the store, as SQL to run: the files of ``access/`` with the names of a deployment in them.

Accounts and passwords are not made here (``ACCESS.md`` has the statements): what is printed may be kept in a
repository. The statements can be run again, and must be after a schema step that makes a view.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Final

from activitylog.exceptions import ConfigurationError
from activitylog.store.cluster import SHARDING_KEYS, checked_cluster, local_table
from activitylog.store.migrations import migrations

_CREATE_VIEW: Final = re.compile(r"^CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_STORED: Final = re.compile(r"\$stored\.(\w+)")
_ASKED: Final = re.compile(r"\$database\.(\w+)")
_LONGEST_NAME: Final = 200
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    The names of a deployment. All are quoted where they are used; any text will do that is no longer than 200.

    Attributes:
        database: of the store.
        cluster: its cluster; None for one server.
        tenants: whose rows get a role each, see :func:`tenant_role`.
        writer, migrator, analyst: names of roles.
        views: name of the account whose rights the materialized views use.
    """

    database: str = "default"
    cluster: str | None = None
    tenants: Sequence[str] = ()
    writer: str = "activity_writer"
    migrator: str = "activity_migrator"
    analyst: str = "activity_analyst"
    views: str = "activity_views"


def access_statements(access: Access) -> list[str]:
    """
    All statements, in the order in which they can be run, each with the comments before it, without semicolons.

    Raises:
        ConfigurationError: a name that is empty, too long, or not Unicode text.
    """
    names = _names(access)
    made: list[str] = []
    for file in ("views", "writer", "migrator", *(["migrator_cluster"] if access.cluster else [])):
        made += _rendered(_read(file), names, access)
    for file in ("analyst", "analyst_rows", "analyst_limits"):
        made += _rendered(_read(file), names, access)
    made += _rendered("".join(_view_grants()), names, access)
    for tenant in access.tenants:
        tenant_names = {"tenant": quoted_string(tenant), "tenant_role": quoted(tenant_role(tenant, access))}
        made += _rendered(_read("tenant"), names | tenant_names, access)
    return made


def show_access(access: Access) -> str:
    """:func:`access_statements` as one text that ``clickhouse-client --multiquery`` runs."""
    return "".join(f"{statement};\n" for statement in access_statements(access))


def tenant_role(tenant: str, access: Access) -> str:
    """The role of a tenant's analysts."""
    return f"{access.analyst}_tenant_{tenant}"


def quoted(name: str) -> str:
    """A name as ClickHouse reads it between backticks, in printing characters."""
    return f"`{_escaped(name, '`')}`"


def quoted_string(text: str) -> str:
    """A string as ClickHouse reads it, in printing characters."""
    return f"'{_escaped(text, chr(39))}'"


def _escaped(text: str, quote: str) -> str:
    if not text or len(text) > _LONGEST_NAME:
        raise ConfigurationError(
            f"The name {text[:40]!r} cannot be used.", hint=f"Accepted: 1 to {_LONGEST_NAME} characters."
        )
    try:
        return "".join(_escape(char, quote) for char in text)
    except UnicodeEncodeError:
        raise ConfigurationError(f"The name {text!r} is not Unicode text.", hint="Give valid UTF-8.") from None


def _escape(char: str, quote: str) -> str:
    if char == quote:
        return f"\\{char}"
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02X}" for byte in char.encode())


def _names(access: Access) -> dict[str, str]:
    cluster = f" ON CLUSTER `{checked_cluster(access.cluster)}`" if access.cluster is not None else ""
    return {
        "database": quoted(access.database),
        "on_cluster": cluster,
        "writer": quoted(access.writer),
        "migrator": quoted(access.migrator),
        "analyst": quoted(access.analyst),
        "views": quoted(access.views),
        "others": quoted(f"{access.analyst}_others"),
        "none": quoted(f"{access.analyst}_none"),
    }


def _read(name: str) -> str:
    return files("activitylog.store").joinpath("access", f"{name}.sql").read_text(encoding="utf-8")


def _view_grants() -> Iterator[str]:
    """The views for readers: they show what their reader may see (SQL SECURITY INVOKER)."""
    for name in dict.fromkeys(name for step in migrations() for name in _CREATE_VIEW.findall(step.sql)):
        yield f"GRANT$on_cluster SELECT ON $database.{name} TO $analyst;\n"


def _rendered(template: str, names: Mapping[str, str], access: Access) -> Iterator[str]:
    clustered = access.cluster is not None
    for statement in (part.strip() for part in re.split(r";\n", template)):
        if statement:
            stored = _STORED.sub(lambda found: f"$database.{_table(found[1], clustered)}", statement)
            for text in _with_local(stored, clustered):
                yield Template(text).substitute(names)


def _table(name: str, clustered: bool) -> str:
    return local_table(name) if clustered else name


def _with_local(statement: str, clustered: bool) -> Iterator[str]:
    """What is granted on a Distributed table is needed on the shards' tables, too: the same user asks those."""
    yield statement
    asked = _ASKED.search(statement)
    code = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
    if clustered and code.startswith("GRANT") and asked and asked[1] in SHARDING_KEYS:
        yield code.replace(asked[0], f"$database.{local_table(asked[1])}")
