"""
From the text of a schema statement to what is run on this deployment. Text in, statements out.
"""

from __future__ import annotations

from activitylog.store.cluster import on_cluster
from activitylog.store_settings import StoreSettings


def statements(sql: str, settings: StoreSettings) -> list[str]:
    """
    Render one statement of the schema.

    Args:
        sql: the text of a file, or an ``ALTER TABLE`` made by this package.
        settings: ``cluster`` decides whether it is for one server (as it is) or for a cluster.

    Returns:
        What is to be run, in order, each without a semicolon.
    """
    text = sql.strip().removesuffix(";").rstrip()
    return on_cluster(text, settings.cluster) if settings.cluster is not None else [text]
