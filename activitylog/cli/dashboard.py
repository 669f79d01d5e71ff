"""``activitylog dashboard``: the dashboard for Grafana."""

from __future__ import annotations

import json
import sys

import click


@click.command(short_help="Print the Grafana dashboard.")
def dashboard() -> None:
    """
    Print a Grafana dashboard (JSON) over the store's tables, for import or provisioning.

    It needs Grafana's ClickHouse data source, 4.0 or newer. Every panel asks one of the questions that
    `activitylog query` lists. Needs no store.

    \b
      activitylog dashboard > activity.json
    """
    from activitylog.dashboards import grafana_dashboard

    sys.stdout.write(json.dumps(grafana_dashboard(), indent=2, ensure_ascii=False) + "\n")
