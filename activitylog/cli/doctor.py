"""``activitylog doctor``: what is wrong with the store, why that matters, and what to type."""

from __future__ import annotations

from typing import Final

import click

from activitylog.cli.findings import fail_on_option, json_option, report
from activitylog.cli.store_option import existing_store, note_store, require_engine, url_option

_EXAMPLES: Final = """\b
Examples:
  activitylog doctor
  activitylog doctor --deep                     also read every part against its checksums
  activitylog doctor --fail-on warning --json   for a monitor
"""


@click.command(short_help="Say what is wrong with the store, and what to do.", epilog=_EXAMPLES)
@url_option
@click.option(
    "--deep", is_flag=True, help="Also verify all parts' checksums, and all days of the roll-ups: reads all."
)
@fail_on_option
@json_option
def doctor(*, url: str | None, deep: bool, fail_on: str, as_json: bool) -> int:
    """
    Look at versions, schema, settings, disk, parts, retention, clocks and completeness of the store, and at what
    waits for it on this machine.

    Each problem comes with what was found, why it matters, and the commands that repair it. Nothing is changed.
    A check that this user may not make, or this server cannot answer, is skipped, and says so. Exit code 1 when
    there is an error.
    """
    from activitylog.settings import load_settings
    from activitylog.spooling import keeps_events, spool_folder
    from activitylog.store.doctor import CHECKS, examine_url, spool_checks

    store = existing_store(url)
    if store.url.kind == "chdb":
        require_engine()
    if not as_json:
        note_store(store)
    settings = load_settings()
    of_spool = (
        spool_checks(spool_folder(store.url, settings), settings.spool_max_bytes)
        if keeps_events(store.url)
        else ()
    )
    found = examine_url(
        store.url,
        settings=settings.store,
        writes=store.origin == "the settings",
        deep=deep,
        checks=(*CHECKS, *of_spool),
    )
    return report(found, fail_on=fail_on, as_json=as_json)
