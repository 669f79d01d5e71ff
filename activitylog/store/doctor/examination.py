"""Running the checks: all of them, whatever happens to one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activitylog.exceptions import ActivityLogError, StoreError
from activitylog.store.client import connect
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import AnyCheck, Finding, Severity, Skip
from activitylog.store.doctor.registry import CHECKS
from activitylog.store.watch.asking import NOT_ALLOWED, NOT_THERE, Database
from activitylog.store_settings import StoreSettings
from activitylog.url import DestinationURL, parse

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CODE: Final = re.compile(r"Code: \d+\. ?(?:DB::Exception: ?)?")
_FAILED_WHY: Final = "A question that fails here fails for everybody who asks it; damaged parts are one reason."
_REACHABLE_WHY: Final = "Nothing can be looked at, and an application that uses this URL delivers nothing either."


def examine_url(
    url: str | DestinationURL,
    *,
    settings: StoreSettings | None = None,
    writes: bool = False,
    deep: bool = False,
    checks: Iterable[AnyCheck] = CHECKS,
) -> list[Finding]:
    """
    Open a store, examine it and close it.

    Args:
        url: as for :func:`activitylog.store.connect`.
        settings: what ``[store]`` of the settings says.
        writes: whether this is the URL that an application writes with.
        deep: also verify the checksums of all parts.
        checks: which ones, in this order.

    Returns:
        A finding a check. A store that cannot be opened is one finding, ``reachable``.
    """
    target = parse(url) if isinstance(url, str) else url
    try:
        client = connect(target)
    except StoreError as error:
        return [_finding_of(error)]
    reached = Finding(check="reachable", title="Reachable", severity=Severity.OK, found=f"{target} answers")
    with closing(client):
        return [
            reached,
            *examine(client, target, settings=settings, writes=writes, deep=deep, checks=checks),
        ]


def examine(
    client: Client,
    url: DestinationURL,
    *,
    settings: StoreSettings | None = None,
    writes: bool = False,
    deep: bool = False,
    checks: Iterable[AnyCheck] = CHECKS,
) -> list[Finding]:
    """As :func:`examine_url`, on a client that is open."""
    embedded = url.kind == "chdb"
    examined = Examined(
        database=Database(client),
        settings=settings or StoreSettings(),
        folder=Path(url.path) if embedded and url.path != "memory" else None,
        embedded=embedded,
        writes=writes,
        deep=deep,
    )
    return [run(check, examined, option=f"--url {shlex.quote(str(url))}") for check in checks]


def run(check: AnyCheck, examined: Examined, *, option: str = "--url URL") -> Finding:
    """One check. What goes wrong in it becomes its finding."""
    try:
        verdict = check.judge(check.ask(examined))
    except Skip as skip:
        return _failed(check, Severity.SKIPPED, str(skip))
    except ActivityLogError as error:
        return _failed(check, Severity.ERROR, error.message, error.hint or "")
    except Exception as error:  # noqa: BLE001 - the others go on, and this one says what happened
        code = getattr(error, "code", None)
        if code in NOT_THERE:
            return _failed(check, Severity.SKIPPED, f"this server does not have what is asked: {_reason(error)}")
        if code in NOT_ALLOWED:
            return _failed(check, Severity.SKIPPED, f"this user may not look: {_reason(error)}")
        return _failed(check, Severity.ERROR, f"the check itself failed: {_reason(error)}", why=_FAILED_WHY)
    problem = verdict.severity in (Severity.ERROR, Severity.WARNING)
    return Finding(
        check=check.name,
        title=check.title,
        severity=verdict.severity,
        found=verdict.found,
        details=verdict.details,
        why=check.why if problem else "",
        do=tuple(line.replace("--url URL", option) for line in verdict.do),
    )


def _failed(check: AnyCheck, severity: Severity, found: str, hint: str = "", *, why: str = "") -> Finding:
    is_error = severity is Severity.ERROR
    return Finding(
        check=check.name,
        title=check.title,
        severity=severity,
        found=found,
        why=(why or check.why) if is_error else "",
        do=(f"# {hint}",) if hint else (),
    )


def _finding_of(error: StoreError) -> Finding:
    return Finding(
        check="reachable",
        title="Reachable",
        severity=Severity.ERROR,
        found=error.message,
        why=_REACHABLE_WHY,
        do=(f"# {error.hint}",) if error.hint else (),
    )


def _reason(error: Exception) -> str:
    """ClickHouse's own words in one line, without code, stack and version."""
    text = _CODE.sub("", str(error)).removeprefix("default: ").split(", Stack trace")[0].split(" (version ")[0]
    line = " ".join(text.split())[:300]
    return line or type(error).__name__
