"""A file of rules, followed while the process runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from activitylog.exceptions import ConfigurationError
from activitylog.rules.files import RulesFile
from activitylog.rules.rule import Rule

_log = logging.getLogger("activitylog")


class RulesWatch:
    """
    Follows a file of rules. A file that cannot be used changes nothing, and is told about once.

    Args:
        file: the file, as it was when its rules were put in force.
        replace: puts other rules in force.
        every_ns: between two looks.
    """

    def __init__(self, file: RulesFile, replace: Callable[[Sequence[Rule]], None], every_ns: int) -> None:
        self._file = file
        self._replace = replace
        self._every_ns = every_ns
        self._next_ns = 0
        self.reloads = 0
        self.error = ""

    def look(self, now_ns: int) -> None:
        """Look at the file, if it is time."""
        if 0 < self._next_ns - now_ns <= self._every_ns:
            return
        self._next_ns = now_ns + self._every_ns
        try:
            rules = self._file.changed()
        except ConfigurationError as error:
            self.error = str(error)
            _log.error("activitylog: the rules stay as they were: %s", error)
            return
        if rules is not None:
            self._replace(rules)
            self.error = ""
            self.reloads += 1
            _log.warning("activitylog: %d rules are in force, read again from %s.", len(rules), self._file.path)
