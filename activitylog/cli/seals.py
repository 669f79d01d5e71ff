"""``activitylog seals``: is every event as it was sealed, and checkpoints of the chains to keep elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activitylog.cli.dataclass_rows import plain, rows_of
from activitylog.cli.errors import FAILED
from activitylog.cli.store_option import existing_store, note_store, open_store, url_option

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from activitylog.seals.checkpoint import Checkpoint
    from activitylog.store.sealed import SealedProducer

_COLUMNS: Final = ("producer", "seals", "begins", "sealed", "intact", "unsealed")
_MOST_PRODUCERS: Final = 50
_MOST_RANGES: Final = 20
_KINDS: Final = ("changed", "missing", "added")
_EXAMPLES: Final = """\b
Examples:
  activitylog seals new-key ops --to ops.key       once; keep ops.key away from the database
  activitylog seals checkpoint --key ops.key > checkpoints/2026-05-01.txt
  activitylog seals verify
  activitylog seals verify --checkpoint checkpoints/2026-05-01.txt --public-key ops+1a2b3c4d+AU...
"""


@click.group(short_help="Check the hash chain over events; sign checkpoints of it.", epilog=_EXAMPLES)
def seals() -> None:
    """
    Tamper evidence: a hash chain over each process's events, where the setting seals is on.

    It shows what was changed, taken out or put in later, by anybody who cannot rewrite all later seals as well. A
    checkpoint that is kept elsewhere holds against whoever can. It does not say that an event is true, nor what
    came after the last seal. Erased and lost events show as what they are: missing ones. So does a lost seal while
    all its events are there. Else nothing is proved of its numbers, and only a checkpoint, no later seal, confirms
    what is before. Where retention or an archive took the beginning of a chain, it is said with which number it
    begins now; nothing is proved of what was before.
    """


@seals.command(short_help="Say whether every event is as it was sealed.")
@url_option
@click.option(
    "--checkpoint", "file", type=click.Path(path_type=Path, exists=True), help="A signed one of an earlier time."
)
@click.option("--public-key", help="Of who signed it: name+id+key.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(*, url: str | None, file: Path | None, public_key: str | None, as_json: bool) -> int:
    """
    Make the hashes again from the rows, and compare.

    Exit code 0: what is sealed is as it was, as far back as the store has it; 1: something is not.
    """
    from activitylog.cli.tables import print_json
    from activitylog.seals.checkpoint import read

    if (file is None) != (public_key is None):
        raise click.UsageError("--checkpoint and --public-key go together.")
    checkpoint = read(file.read_text(), public_key) if file is not None and public_key is not None else None
    store = existing_store(url)
    client = open_store(store)
    try:
        if not as_json:
            note_store(store)
        found = _verified(client, checkpoint)
    finally:
        client.close()
    intact = all(state.is_intact for state in found)
    if as_json:
        states = [{**plain(state), "unsealed": state.unsealed, "is_intact": state.is_intact} for state in found]
        print_json({"intact": intact, "producers": states})
    else:
        _print(found)
    return 0 if intact else FAILED


def _verified(client: Client, checkpoint: Checkpoint | None = None) -> list[SealedProducer]:
    """The chains, and what is known to have left the store of their beginnings."""
    from activitylog.queries.removals import may_have_begun_earlier, removals
    from activitylog.store.sealed import verify_seals
    from activitylog.store.watch.asking import Database

    known = removals(Database(client))
    return verify_seals(
        client, checkpoint, may_have_begun_earlier=lambda first: may_have_begun_earlier(first, known)
    )


def _print(found: Sequence[SealedProducer]) -> None:
    from activitylog.cli.paragraphs import print_paragraph
    from activitylog.cli.tables import print_rows

    broken = [state for state in found if not state.is_intact]
    sealed = [state for state in found if state.seals]
    verdict = "Not as sealed" if broken else "As sealed" if sealed else "Nothing is sealed here"
    events = sum(state.intact for state in found)
    unsealed = sum(state.unsealed for state in found)
    print_paragraph(
        f"{verdict}: {events:,} events of {len(sealed):,} producers are as they were; "
        f"{unsealed:,} came after the last seals, about which nothing is proved.",
        bold=len(verdict),
    )
    if found:
        print_rows(rows_of(list(found[:_MOST_PRODUCERS]), _COLUMNS), title="")
    for state in broken:
        for text in (*state.broken, *_lost_seals(state), *_differences(state)):
            print_paragraph(f"{state.producer}: {text}", "- ")
    limited = [(state, text) for state in found for text in _limits(state)]
    for state, text in limited[:_MOST_PRODUCERS]:
        print_paragraph(f"{state.producer}: {text}", "- ")
    if len(limited) > _MOST_PRODUCERS:
        print_paragraph(f"{len(limited) - _MOST_PRODUCERS:,} more such remarks; --json has all.")


def _limits(state: SealedProducer) -> list[str]:
    """What is not proved of a chain whose beginning left on purpose."""
    found = []
    if state.begins > 1:
        before = f", nor of {state.before:,} events from before it that are there" if state.before else ""
        found.append(
            f"begins with {state.begins:,}; what was before may have left by retention or for an archive, and "
            f"nothing is proved of it{before}"
        )
    if state.unprovable:
        found.append(
            f"{state.unprovable}: it may have left by retention or for an archive, so the checkpoint proves "
            "nothing about that"
        )
    return found


def _lost_seals(state: SealedProducer) -> Iterator[str]:
    if state.holes:
        yield (
            f"the seals of {_ranges(state.holes)} were lost or taken out, and cannot be made again: nothing is "
            "proved of these numbers, and no later seal confirms what is before them"
        )
    if state.remade:
        yield f"the seals of {_ranges(state.remade)} were lost or taken out; they were made again of their events"


def _ranges(ranges: Sequence[tuple[int, int]]) -> str:
    shown = ", ".join(f"{first:,} to {last:,}" for first, last in ranges[:_MOST_RANGES])
    return f"{shown} ..." if len(ranges) > _MOST_RANGES else shown


def _differences(state: SealedProducer) -> list[str]:
    return [
        f"{state.counts[kind]:,} {kind}: {', '.join(f'{number:,}' for number in getattr(state, kind))}"
        f"{' ...' if state.counts[kind] > len(getattr(state, kind)) else ''}"
        for kind in _KINDS
        if state.counts[kind]
    ]


@seals.command(short_help="Sign how far all chains go, to be kept elsewhere.")
@url_option
@click.option("--key", type=click.Path(path_type=Path, exists=True), required=True, help="The private key's file.")
def checkpoint(*, url: str | None, key: Path) -> int:
    """
    Print a signed note of how far each producer's chain goes now; nothing where something was changed, put in or
    broken. What is missing (erased, lost, or taken out) does not keep it from signing: a warning says how many
    events, and how many numbers whose seals are. The note says which numbers are in a seal, and proves nothing of
    the others.

    Keep it where the owner of the database cannot write: in git, in an object store with a lock, with a witness.
    """
    from activitylog.seals.checkpoint import Checkpoint, secret_of, sign
    from activitylog.store.sealed import chains_of

    secret = secret_of(key)
    client = open_store(existing_store(url))
    try:
        found = _verified(client)
    finally:
        client.close()
    if any(state.is_forged for state in found):
        click.echo("error: something is not as it was sealed; see activitylog seals verify.", err=True)
        return FAILED
    if missing := sum(state.counts["missing"] for state in found):
        events = f"{missing:,} events that were sealed are" if missing > 1 else "1 event that was sealed is"
        click.echo(f"warning: {events} not there any more; see activitylog seals verify.", err=True)
    if holes := [last - first + 1 for state in found for first, last in state.holes]:
        numbers = f"{sum(holes):,} numbers" if sum(holes) > 1 else "1 number"
        click.echo(
            f"warning: the seals of {numbers} were lost or taken out, and no later one confirms what is before; "
            "see activitylog seals verify.",
            err=True,
        )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    origin = f"activitylog/{secret.partition('+')[0]}"
    click.echo(sign(Checkpoint(origin, now, chains_of(found)), secret), nl=False)
    return 0


@seals.command(name="new-key", short_help="Make a key pair for checkpoints.")
@click.argument("name")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="File of the private key; made 0600.")
def new_key(*, name: str, to: Path) -> None:
    """Write the private key into a new file, and print the public one."""
    from activitylog.seals.checkpoint import new_key as make

    secret, public = make(name)
    _write_new(to, f"{secret}\n")
    click.echo(public)


def _write_new(path: Path, text: str) -> Any:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be made: {error.strerror}.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
