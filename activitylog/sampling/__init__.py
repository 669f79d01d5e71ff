"""The decision about an event, and its weight."""

from activitylog.sampling.verdict import Verdict

__all__ = ["Verdict"]
