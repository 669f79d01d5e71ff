"""All checks, in the order of an event's way: is there one, what happens on it, does it arrive?"""

from __future__ import annotations

from typing import Final

from activitylog.collector import (
    clickhouse,
    dedup,
    deprecated,
    kafka,
    keys,
    load_balancing,
    otlp,
    processors,
    queue,
    routes,
    sampler,
    service,
    storage,
)
from activitylog.collector.finding import AnyCheck

CHECKS: Final[tuple[AnyCheck, ...]] = (
    *service.CHECKS,
    *routes.CHECKS,
    *otlp.CHECKS,
    *kafka.CHECKS,
    *processors.CHECKS,
    *sampler.CHECKS,
    *dedup.CHECKS,
    *keys.CHECKS,
    *queue.CHECKS,
    *storage.CHECKS,
    *clickhouse.CHECKS,
    *load_balancing.CHECKS,
    *deprecated.CHECKS,
)
