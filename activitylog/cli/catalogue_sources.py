"""What a catalogue is made of: classes of modules that are imported, and a store; the options that name them."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.store_option import (
    Store,
    choose_store,
    existing_store,
    note_store,
    open_store,
    url_option,
)
from activitylog.exceptions import ConfigurationError, QueryError, StoreUnavailableError

if TYPE_CHECKING:
    from activitylog.catalogue import Catalogue, Declared, Sources
    from activitylog.sightings import Sightings

_MODULE_HINT: Final = "Write it as in Python: --import myapp.events; the working directory is looked in first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    The options.

    Attributes:
        modules: to be imported.
        url: of the store, as given.
        no_store: leave the store out.
        days: up to the newest event, that are looked at for attributes.
    """

    modules: tuple[str, ...]
    url: str | None
    no_store: bool
    days: float

    @property
    def options(self) -> str:
        """What to type so that another command looks at the same; empty where nothing is needed."""
        import shlex

        words = [f" --import {module}" for module in self.modules]
        if self.url is not None:
            words.append(f" --url {shlex.quote(str(choose_store(self.url).url))}")
        return "".join([*words, " --no-store" if self.no_store else ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """
    What was found.

    Attributes:
        declared: by classes; None where no module was named.
        sightings: of the store; None where there is none.
        store: which it was.
        no_store: why there is none; empty where there is one.
    """

    declared: Declared | None = None
    sightings: Sightings | None = None
    store: Store | None = None
    no_store: str = ""

    @property
    def sources(self) -> Sources:
        """Who was asked."""
        from activitylog.catalogue import Sources

        return Sources(classes=self.declared is not None, store=self.sightings is not None)

    def catalogue(self, *, only_recent: bool = False) -> Catalogue:
        """Both together; of the store all events, or those of the days that were looked at."""
        from activitylog.catalogue import combine, seen_entries

        declared = self.declared.entries if self.declared else ()
        found = self.sightings
        if found is not None and only_recent:
            found = replace(found, events=tuple(found.recent()))
        return combine(declared, seen_entries(found) if found else ())


def sources_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what a catalogue is made of, and pass it ``wanted``."""

    @click.option(
        "--import",
        "modules",
        multiple=True,
        metavar="MODULE",
        help="Import this module, such as myapp.events, and take the classes under @activitylog.event. Several "
        "may be given, and are imported in this order.",
    )
    @url_option
    @click.option("--no-store", is_flag=True, help="Look at classes only.")
    @click.option(
        "--days",
        type=click.FloatRange(min=0, min_open=True),
        default=7.0,
        show_default=True,
        help="Look at rows of so many days up to the newest event for attributes.",
    )
    @functools.wraps(command)
    def with_sources(
        *args: Any, modules: tuple[str, ...], url: str | None, no_store: bool, days: float, **options: Any
    ) -> Any:
        if no_store and url is not None:
            raise click.UsageError("Only one of --url and --no-store can be given.", click.get_current_context())
        wanted = Wanted(modules=modules, url=url, no_store=no_store, days=days)
        return command(*args, wanted=wanted, **options)

    return with_sources


def gather(
    wanted: Wanted,
    *,
    since: datetime | None = None,
    names: Callable[[str], bool] | None = None,
    older: bool = True,
    quiet: bool = False,
) -> Gathered:
    """
    Import the modules, and ask the store.

    Args:
        since: a time from which on rows are looked at, instead of ``days``.
        names: which events are asked for.
        older: also look at rows of events that are older than that.
        quiet: do not name the store.

    Raises:
        ActivityLogError: a module that cannot be imported, a store that cannot be asked, or neither is named.
    """
    if wanted.no_store and not wanted.modules:
        raise ConfigurationError(
            "There is nothing to look at: --no-store, and no --import.",
            hint="Name the modules with your event classes: --import myapp.events.",
        )
    declared = _declared(wanted.modules) if wanted.modules else None
    store, reason = _store(wanted)
    if store is None:
        return Gathered(declared=declared, no_store=reason)
    from activitylog.store.seen import MOST_NAMES, seen

    if not quiet:
        note_store(store)
    client = open_store(store)
    try:
        sightings = seen(client, days=wanted.days, since=since, wanted=names, older=older)
    finally:
        client.close()
    if sightings.names > MOST_NAMES:
        click.secho(
            f"warning: of {sightings.names:,} names only the {MOST_NAMES:,} with the most rows are looked at",
            err=True,
            fg="yellow",
        )
    return Gathered(declared=declared, sightings=sightings, store=store)


def _store(wanted: Wanted) -> tuple[Store | None, str]:
    """The store, or why none is asked."""
    if wanted.no_store:
        return None, "--no-store"
    try:
        return existing_store(wanted.url), ""
    except StoreUnavailableError as error:
        if wanted.url is not None or choose_store(None).origin != "the default":
            raise
        if wanted.modules:
            return None, error.message.rstrip(".")
        raise StoreUnavailableError(
            error.message,
            hint="Name one with --url, or the modules with your event classes: --import myapp.events.",
        ) from None


def _declared(modules: Sequence[str]) -> Declared:
    from activitylog.catalogue import declared

    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for module in modules:
        _import(module)
    found = declared()
    if not found.entries:
        raise ConfigurationError(
            f"No class is declared to be an event in {', '.join(modules)}, nor in what is imported there.",
            hint='Put @activitylog.event("noun.verbed") above it, or name the module that has such classes.',
        )
    return found


def _import(module: str) -> None:
    """Import a module; what it prints is no answer, and goes to standard error."""
    if not all(part.isidentifier() for part in module.split(".")):
        dotted = module.removesuffix(".py").strip("./").replace("/", ".")
        hint = f"Did you mean --import {dotted}?" if "/" in module or module.endswith(".py") else _MODULE_HINT
        raise ConfigurationError(f"--import {module!r} is no name of a module.", hint=hint)
    try:
        with redirect_stdout(sys.stderr):
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"There is no module {module!r}.", hint=_MODULE_HINT) from error
        raise _broken(module, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(module, error) from error


def _broken(module: str, error: BaseException) -> ConfigurationError:
    return ConfigurationError(
        f"{module} cannot be imported: {type(error).__name__}: {error}",
        hint="If something has to run before, put that into a module, and --import it first; "
        "ACTIVITYLOG_DEBUG=1 shows where it failed.",
    )


def time_option(given: str | None, name: str) -> datetime | None:
    """
    A time that was given as a text; without an offset it is UTC.

    Raises:
        QueryError: it is none.
    """
    from activitylog.queries.values import check_of

    if given is None:
        return None
    try:
        return datetime.fromisoformat(check_of("DateTime64(9, 'UTC')")(given)).replace(tzinfo=UTC)
    except ValueError as error:
        raise QueryError(f"{name} is {given!r}, which is {error}.") from None
