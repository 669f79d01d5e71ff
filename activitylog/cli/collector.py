"""``activitylog collector``: what a Collector's configuration does to activity events."""

from __future__ import annotations

from typing import Final

import click

from activitylog.cli.findings import fail_on_option, json_option, report

_EXAMPLES: Final = """\b
Examples:
  activitylog collector check gateway.yaml
  activitylog collector check gateway.yaml overlays/tls.yaml   as with --config twice: the later one wins
  activitylog collector check agent.yaml --role agent --fail-on warning --json
"""


@click.group(short_help="Check a Collector's configuration for what loses or doubles events.")
def collector() -> None:
    """An OpenTelemetry Collector between the services and ClickHouse."""


@collector.command(short_help="Say what a configuration loses, doubles or mislabels.", epilog=_EXAMPLES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--role",
    type=click.Choice(["auto", "agent", "gateway"]),
    default="auto",
    show_default=True,
    help="What the Collector is for; auto: what its pipelines end in.",
)
@fail_on_option
@json_option
def check(*, files: tuple[str, ...], role: str, fail_on: str, as_json: bool) -> int:
    """
    Read the configuration of an OpenTelemetry Collector (v0.161), and find what would lose, double or mislabel
    activity events on their way into the landing table.

    Several files are merged as the Collector merges several --config. Only logs pipelines are looked at. Each
    problem comes with the file and line, why it matters, and the YAML to write. Nothing is changed, and nobody is
    asked: only the files are read, and the variables that ${env:NAME} names. A check on a value that depends on a
    variable that is not set here is skipped, and says so. Exit code 1 when there is an error.
    """
    from activitylog.collector import Role, examine, read

    return report(examine(read(files), role=Role(role)), fail_on=fail_on, as_json=as_json)
