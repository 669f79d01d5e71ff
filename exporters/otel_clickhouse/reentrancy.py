"""How this package tells its own log lines from the application's; see :mod:`otel_delivery.reentrancy`."""

from __future__ import annotations

from typing import Final

from otel_delivery.reentrancy import Reentrancy

REENTRANCY: Final = Reentrancy("otel_clickhouse", drivers=("clickhouse_connect", "urllib3"))
