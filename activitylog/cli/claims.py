"""Waiting for others, with a word about whom for."""

from __future__ import annotations

import click

from activitylog.cli.visible import visible
from activitylog.store.claims import Claim, Patience


def patience() -> Patience:
    """Ten minutes; says on standard error who is at work."""
    return Patience(waiting=_say)


def _say(claim: Claim) -> None:
    click.echo(f"waiting: roll-ups are being repaired by {visible(str(claim))}", err=True)
