"""
What an OpenTelemetry Collector's configuration would lose, duplicate or mislabel of activity events on their way
into the landing table: checks that read the file, and nothing else.

    value -> merging, reading, expansion -> configuration
    configuration -> pipelines -> examined -> one module of checks per subject -> registry -> examination

The Collector is v0.161.0. Each module of checks names the sources that its defaults are from. A value that
depends on a variable which is not set here is not guessed: the check says that it could not look.
"""

from activitylog.collector.configuration import read, read_texts
from activitylog.collector.examination import examine
from activitylog.collector.examined import Role
from activitylog.collector.finding import Finding, Severity
from activitylog.collector.registry import CHECKS
from activitylog.collector.value import Setting

__all__ = ["CHECKS", "Finding", "Role", "Setting", "Severity", "examine", "read", "read_texts"]
