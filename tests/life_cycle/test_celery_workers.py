"""
Celery's workers of each kind, as processes: who asked for a task is in its events, and all of them arrive once.

The broker is a folder; where there is a Redis, some of it is done with that, too.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.kill import matrix
from tests.kill.backend import served
from tests.kill.worker import Cell
from tests.life_cycle.celery_tasks_names import BROKER, MODULE
from tests.life_cycle.prefork import EVENTS
from tests.life_cycle.test_prefork_servers import Server, check, environment
from tests.redis_server import redis_server
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]
#: What a worker's process says about what it has caught.
_WRONG = re.compile(r"Traceback|Signal handler .* raised|activitylog: an event was dropped")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server, and a client of it."""
    with served(tmp_path_factory.mktemp("store")) as served_store:
        yield served_store
