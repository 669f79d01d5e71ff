"""``activitylog spool``: events that are on disk and not delivered, and those that never will be."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.dataclass_rows import plain
from activitylog.cli.errors import EXIT_CODES, FAILED, PARTLY, clean
from activitylog.cli.progress import progress
from activitylog.cli.rows import Column, Rows
from activitylog.cli.tables import print_json, print_rows, print_title
from activitylog.cli.visible import visible
from activitylog.exceptions import ActivityLogError, ConfigurationError, StoreLockedError
from activitylog.settings import Settings, load_settings
from activitylog.url import DestinationURL, parse

if TYPE_CHECKING:
    from activitylog.spools import Place
    from otel_spool import Drained, FolderStatus, Piece, SpoolStatus

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a spool.")
_EXAMPLES: Final = f"""\b
Examples:
  activitylog spool status
  activitylog spool drain --timeout 300
  activitylog spool inspect ~/.local/state/activitylog/spool | jq -r .event
  activitylog spool drain --dead-letters          when what was refused is welcome now

{EXIT_CODES}
"""


def _plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the disk says, in one line."""

    @wraps(command)
    def with_plain_errors(*args: Any, **options: Any) -> Any:
        from otel_spool import SpoolError

        try:
            return command(*args, **options)
        except SpoolError as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            raise click.ClickException(_words(error)) from None

    return with_plain_errors


def _words(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}"


@click.group(short_help="See what waits on disk, deliver it, read what was refused.", epilog=_EXAMPLES)
def spool() -> None:
    """
    Events on disk that are not delivered yet.

    Each destination has a spool, a folder below the setting spool_directory; each process has a folder in it while
    it lives. What a dead process left is delivered by the next one that starts, or by `activitylog spool drain`.
    """


@spool.command(epilog=_EXAMPLES)
@click.argument("path", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@_json
@_plain_errors
def status(*, path: Path | None, as_json: bool) -> int:
    """
    Show who holds which events, how old they are, what was refused and what cannot be read.

    PATH is a spool or a folder of spools, by default the setting spool_directory. Nothing is changed, and no
    process is held up. Exit code 1 when something needs attention: events of dead processes, dead letters, damage,
    a spool that this user may not read.
    """
    from activitylog.spooling import spool_directory
    from activitylog.spools import places

    settings = load_settings()
    found = places(settings, path)
    attention = False
    for place in found:
        try:
            seen = _seen(place.directory)
        except OSError as error:  # another user's: the others are shown all the same
            attention = True
            _print_unreadable(place, error, as_json=as_json)
            continue
        attention = attention or seen.needs_attention
        if as_json:
            print_json(_as_json(place, seen, settings))
        else:
            _print_status(place, seen, settings)
    if not found and not as_json:
        where = path or spool_directory(settings)
        sys.stdout.write(visible(f"There are no spools in {where.absolute()}: nothing waits there.") + "\n")
    return FAILED if attention else 0


def _print_unreadable(place: Place, error: OSError, *, as_json: bool) -> None:
    if as_json:
        found = {"url": place.url, "directory": str(place.directory), "error": _words(error)}
        print_json({**found, "needs_attention": True})
        return
    print_title(place.url or place.directory.name)
    for name, text in (("folder", str(place.directory)), ("unreadable", _words(error))):
        sys.stdout.write(visible(f"  {name:<14}{text}") + "\n")
    sys.stdout.write("\n")


def _seen(directory: Path) -> SpoolStatus:
    from otel_spool import look

    with progress("reading", None) as tell:
        return look(directory, progress=lambda read: tell(read, _size(read)))


def _as_json(place: Place, seen: SpoolStatus, settings: Settings) -> dict[str, Any]:
    return {
        "url": place.url,
        **plain(seen),
        "directory": str(seen.directory),
        "events": seen.events,
        "orphaned": seen.orphaned,
        "bytes": seen.bytes,
        "oldest_unsent_seconds": _age(seen.oldest_unsent_ns),
        "max_bytes": settings.spool_max_bytes,
        "max_age_seconds": settings.spool_max_age_seconds,
        "needs_attention": seen.needs_attention,
    }


def _print_status(place: Place, seen: SpoolStatus, settings: Settings) -> None:
    print_title(place.url or seen.directory.name)
    for name, text in status_facts(seen, settings):
        sys.stdout.write(visible(f"  {name:<14}{text}") + "\n")
    if seen.folders:
        print_rows(_folder_rows(seen.folders))
    for line in advice(seen, "" if place.url else " --url URL"):
        sys.stdout.write(f"  {visible(line)}\n")
    sys.stdout.write("\n")


def status_facts(seen: SpoolStatus, settings: Settings) -> Iterator[tuple[str, str]]:
    """What a spool holds, in words."""
    yield "folder", str(seen.directory)
    yield "unsent", unsent_words(seen)
    if seen.letters:
        reasons = ", ".join(f"{reason}: {events:,}" for reason, events in seen.letters.items())
        yield "dead letters", f"{sum(seen.letters.values()):,} ({reasons}), {_size(seen.letters_bytes)}"
    if seen.quarantined:
        yield "quarantine", f"{_pieces(seen.quarantined)}, {_size(seen.quarantined_bytes)}"
    days = settings.spool_max_age_seconds / 86_400
    yield "limits", f"{_size(seen.bytes)} of {_size(settings.spool_max_bytes)}; events go after {days:g} days"
    if seen.free_bytes is not None:
        yield "disk", f"{_size(seen.free_bytes)} free"


def _pieces(count: int) -> str:
    return "1 piece" if count == 1 else f"{count:,} pieces"


def unsent_words(seen: SpoolStatus) -> str:
    """How many events wait, and for whom."""
    closed = sum(folder.state == "unreadable" for folder in seen.folders)
    unread = f"{_folders(closed)} cannot be read" if closed else ""
    if not seen.events:
        return f"unknown: {unread}" if closed else "nothing"
    events = "1 event" if seen.events == 1 else f"{seen.events:,} events"
    orphaned = f", {seen.orphaned:,} of them left by dead processes" if seen.orphaned else ""
    age = _age(seen.oldest_unsent_ns)
    oldest = "" if age is None else f"; the oldest since {duration_words(age)}"
    return f"{events}{orphaned}{oldest}{f'; {unread}' if closed else ''}"


def _folders(count: int) -> str:
    return "1 folder" if count == 1 else f"{count:,} folders"


def advice(seen: SpoolStatus, option: str = "") -> Iterator[str]:
    """
    What to do about it, as commands; nothing when nothing is to be done.

    Args:
        option: that names the destination, with a space before it.
    """
    from shlex import quote

    if seen.orphaned:
        yield f"do: activitylog spool drain{option}"
    if seen.letters:
        yield f"do: activitylog spool inspect {quote(str(seen.directory / 'dead'))}"
        yield f"do: activitylog spool drain --dead-letters{option}    (when the reason is mended)"
    if seen.quarantined:
        yield f"do: activitylog spool inspect {quote(str(seen.directory / 'quarantine'))}    (then remove it)"


_FOLDERS: Final = (
    Column("process", "String"),
    Column("folder", "String"),
    Column("events", "UInt64"),
    Column("bytes", "UInt64"),
    Column("oldest", "DateTime"),
    Column("sending", "UInt64"),
    Column("damaged", "UInt64"),
)


def _folder_rows(folders: tuple[FolderStatus, ...]) -> Rows:
    values = [
        (
            {"alive": f"{folder.pid or '?'}", "orphan": "gone", "unreadable": "unreadable"}[folder.state],
            folder.name,
            folder.events,
            folder.bytes,
            _time(folder.oldest_unsent_ns),
            folder.batches,
            folder.damages,
        )
        for folder in folders
    ]
    return Rows(_FOLDERS, iter(values))


@spool.command(epilog=_EXAMPLES)
@click.option("--url", metavar="URL", help="The destination; by default each one in the settings.")
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds for each destination.",
)
@click.option("--dead-letters", "letters", is_flag=True, help="Send what was refused before, too.")
@_json
@_plain_errors
def drain(*, url: str | None, seconds: float, letters: bool, as_json: bool) -> int:
    """
    Deliver what dead processes left on this machine, each event once.

    Events of processes that live are theirs and stay. What is not delivered in time stays, too, for the next one.
    What is given up for good is counted in the destination. Exit code 0 when nothing is left, 3 when something is,
    or was refused, given up, or put into quarantine because it cannot be read, 1 when a destination failed.
    """
    from otel_spool import SpoolError

    settings = load_settings()
    codes: list[int] = []
    failures: list[Exception] = []
    for one in _destinations(url, settings):
        try:
            codes.append(_drain(one, settings, seconds, letters=letters, as_json=as_json))
        except BrokenPipeError:
            raise
        except (ActivityLogError, SpoolError, OSError) as error:  # the other destinations have their turn
            failures.append(error)
    for failure in failures[:-1]:
        click.echo(f"error: {clean(_words(failure))}", err=True)
    if failures:
        raise failures[-1]
    return max(codes, default=0)


def _destinations(given: str | None, settings: Settings) -> list[DestinationURL]:
    from activitylog.spooling import keeps_events, spool_folder

    if given is not None:
        wanted = parse(given)
        # What the status has shown has *** for the password, which the settings know.
        same = [one for one in settings.url if str(one) == str(wanted)]
        return same if same and wanted.password == "***" else [wanted]  # noqa: S105 - what stands for one
    # The others have a spool where the setting durability says so.
    found = [one for one in settings.url if keeps_events(one) or spool_folder(one, settings).is_dir()]
    if not found:
        raise ConfigurationError(
            "The settings name no destination that keeps events.",
            hint="Give --url, with the password if there is one.",
        )
    return found


def _drain(url: DestinationURL, settings: Settings, seconds: float, *, letters: bool, as_json: bool) -> int:
    from activitylog.draining import ENDS_WITH_THE_PROCESS, can_deliver
    from activitylog.draining import drain as deliver
    from activitylog.spooling import spool_folder
    from activitylog.spools import spool_of
    from otel_spool import Drained

    before = spool_of(url, settings)
    total = 0 if before is None else before.orphaned + (sum(before.letters.values()) if letters else 0)
    try:
        if before is None:
            found = Drained()
        elif not can_deliver(url):
            found = Drained(left=total, problem=f"{url} {ENDS_WITH_THE_PROCESS}")
        else:
            with progress(f"delivering to {url}", total) as tell:
                found = deliver(
                    url,
                    settings,
                    timeout_seconds=seconds,
                    letters=letters,
                    progress=lambda done: tell(done, f"{done:,} of {total:,}"),
                )
    except StoreLockedError as error:
        raise StoreLockedError(
            error.message,
            hint="If it is an application that writes there, it delivers what dead processes left by itself, "
            "within seconds. Else stop it first.",
        ) from None
    if as_json:
        print_json({"url": str(url), **plain(found), "dropped": dict(found.dropped)})
    else:
        _print_drained(url, found, spool_folder(url, settings))
    undelivered = found.left or found.left_letters or found.refused_again or found.dropped
    return PARTLY if undelivered or found.quarantined or found.unreadable else 0


def _print_drained(url: DestinationURL, found: Drained, folder: Path) -> None:
    from shlex import quote

    parts = [f"{found.delivered:,} delivered"]
    parts += [f"{events:,} given up ({reason})" for reason, events in found.dropped.items()]
    parts += [f"{found.refused_again:,} refused again"] if found.refused_again else []
    left = found.left + found.left_letters
    parts += [f"{left:,} left"]
    parts += [f"{_pieces(found.quarantined)} in quarantine"] if found.quarantined else []
    parts += [f"{_folders(found.unreadable)} cannot be read"] if found.unreadable else []
    sys.stdout.write(visible(f"{url}: {', '.join(parts)}") + "\n")
    if (left or found.quarantined) and found.problem:
        click.echo(visible(f"hint: {found.problem}"), err=True)
    elif found.elsewhere:
        click.echo("hint: this process cannot deliver there; run the command by itself", err=True)
    if found.quarantined:
        place = quote(str(folder / "quarantine"))
        click.echo(visible(f"hint: activitylog spool inspect {place}"), err=True)


@spool.command(epilog=_EXAMPLES)
@click.argument("path", type=click.Path(path_type=Path, exists=True), required=False)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@_plain_errors
def inspect(*, path: Path | None, limit: int | None) -> int:
    """
    Print what is in a spool, a JSON object a line: events, letters with the reason, damaged bytes.

    PATH is a folder of spools (by default the setting spool_directory), a spool, a folder in it, a segment, or a
    file of dead/ or quarantine/. Damaged files are read as far as they can be. Nothing is changed. Events are as
    they would be delivered: what the settings redact is not there. Exit code 1 when something cannot be read.
    """
    from activitylog.spooling import spool_directory
    from otel_spool import pieces

    target = path or spool_directory(load_settings())
    if not target.exists():
        return 0
    code = 0
    for piece in islice(pieces(target.absolute()), limit):
        code = FAILED if piece.what == "unreadable" else code
        print_json(_piece(piece))
    return code


def _piece(piece: Piece) -> dict[str, Any]:
    found: dict[str, Any] = {"what": piece.what, "file": str(piece.path)}
    found |= {
        name: value
        for name in ("state", "number", "reason", "detail", "offset", "length")
        if (value := getattr(piece, name)) not in ("", None)
    }
    if piece.refused_ns is not None:
        found["refused"] = _time(piece.refused_ns)
    if piece.record is not None:
        found |= _record(piece.record)
    if piece.data:
        found["bytes"] = piece.data.decode("latin-1")
    return found


def _record(readable: Any) -> dict[str, Any]:
    record = readable.log_record
    found: dict[str, Any] = {"time": _time(record.timestamp), "event": record.event_name}
    if record.severity_text:
        found["severity"] = record.severity_text
    if record.body is not None:
        found["body"] = record.body
    if record.trace_id:
        found["trace_id"], found["span_id"] = f"{record.trace_id:032x}", f"{record.span_id or 0:016x}"
    return found | {"attributes": dict(record.attributes or {}), "resource": dict(readable.resource.attributes)}


def _time(ns: int | None) -> str | None:
    """ISO 8601 in UTC, with nanoseconds as they are."""
    if ns is None:
        return None
    seconds, rest = divmod(ns, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
    except (ValueError, OverflowError, OSError):
        return str(ns)


def _age(ns: int | None) -> float | None:
    return None if ns is None else max(0.0, time.time() - ns / 1e9)


def duration_words(seconds: float) -> str:
    """``3.0 h``."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _size(count: float) -> str:
    from activitylog.cli.stats import size

    return size(count)
