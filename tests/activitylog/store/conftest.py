"""A cluster that replicates for real, once a run. Without Java and Maven its tests are skipped, and fail in CI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.activitylog.store.cluster_of_four import Four, four
from tests.activitylog.store.replicated_engine import Keeper, KeeperMissingError, is_known_build, missing_program
from tests.leaving_out import leave_out


@pytest.fixture(scope="session")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    """A ZooKeeper."""
    if not is_known_build():
        pytest.skip("replication for real needs a function that this build of chDB has not, or has otherwise")
    if lacking := missing_program():
        leave_out(lacking)
    try:
        running = Keeper(tmp_path_factory.mktemp("keeper"))
    except KeeperMissingError as error:
        leave_out(str(error))
    yield running
    running.close()


@pytest.fixture(scope="session")
def servers_of_four(keeper: Keeper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Four]:
    """Two shards of two replicas."""
    yield from four(tmp_path_factory.mktemp("four"), keeper)


@pytest.fixture
def cluster(servers_of_four: Four) -> Four:
    """The same, without events, spread over the whole cluster."""
    servers_of_four.clear()
    servers_of_four.spread_over("main")
    return servers_of_four
