"""All checks, in the order in which one would look: is it ours, does it take rows, keep them, have them all?"""

from __future__ import annotations

from typing import Final

from activitylog.store.doctor.cluster import DISTRIBUTION, REPLICAS
from activitylog.store.doctor.completeness import DUPLICATES, SEQUENCES
from activitylog.store.doctor.counted import REPAIRS, SURPLUS
from activitylog.store.doctor.finding import AnyCheck
from activitylog.store.doctor.missed import ROLLUPS
from activitylog.store.doctor.parts import BATCHES, CHECKSUMS, DETACHED, PARTITIONS, PARTS
from activitylog.store.doctor.places import DISK_STATE, FOLDER, MEMORY, ROOM
from activitylog.store.doctor.sampled import KEPT, UNCOUNTED, WEIGHTS
from activitylog.store.doctor.server import ACCESS, OWN_WARNINGS, SYSTEM_LOGS
from activitylog.store.doctor.server_settings import SETTINGS
from activitylog.store.doctor.tables import LANDING, SCHEMA, WINDOWS
from activitylog.store.doctor.times import CLOCK, EVENT_TIMES
from activitylog.store.doctor.upkeep import MERGES, MUTATIONS, RETENTION
from activitylog.store.doctor.versions import VERSIONS

#: Others (the spool's, an application's own) are passed to ``examine(checks=(*CHECKS, ...))``.
CHECKS: Final[tuple[AnyCheck, ...]] = (
    VERSIONS,
    SCHEMA,
    LANDING,
    WINDOWS,
    SETTINGS,
    FOLDER,
    DISK_STATE,
    ROOM,
    MEMORY,
    DETACHED,
    CHECKSUMS,
    PARTS,
    PARTITIONS,
    BATCHES,
    RETENTION,
    MUTATIONS,
    MERGES,
    CLOCK,
    EVENT_TIMES,
    ROLLUPS,
    SURPLUS,
    REPAIRS,
    DUPLICATES,
    SEQUENCES,
    KEPT,
    WEIGHTS,
    UNCOUNTED,
    REPLICAS,
    DISTRIBUTION,
    ACCESS,
    SYSTEM_LOGS,
    OWN_WARNINGS,
)
