"""
Dashboards over the store: panels as data, and what renders them for Grafana.

Every panel asks one of the named questions (:mod:`activitylog.queries`); there is no SQL here.
"""

from activitylog.dashboards.grafana import grafana_dashboard
from activitylog.dashboards.panels import PANELS, Panel

__all__ = ["PANELS", "Panel", "grafana_dashboard"]
