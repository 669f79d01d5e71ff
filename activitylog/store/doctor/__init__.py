"""
What is wrong with a store, why that matters, and what to do: checks that ask the database about itself.

    finding, examined -> one module of checks per subject -> registry -> examination

Each check has two halves: ``ask`` runs SQL and returns what it found, ``judge`` looks at that and nothing else. No
check writes anything, and one that fails never stops the others.
"""

from activitylog.store.doctor.examination import examine, examine_url
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Finding, Severity, Verdict
from activitylog.store.doctor.registry import CHECKS
from activitylog.store.doctor.spool import spool_checks

__all__ = [
    "CHECKS",
    "Check",
    "Examined",
    "Finding",
    "Severity",
    "Verdict",
    "examine",
    "examine_url",
    "spool_checks",
]
