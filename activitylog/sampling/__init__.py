"""The decision about an event, and its weight."""

from activitylog.sampling.budget import Ticket
from activitylog.sampling.sampler import Sampler
from activitylog.sampling.verdict import Verdict

__all__ = ["Sampler", "Ticket", "Verdict"]
