"""Which events are kept, and how often: rules, in code and in TOML, with one meaning."""

from activitylog.rules.rule import NEVER_SAMPLED, Match, Rule

__all__ = ["NEVER_SAMPLED", "Match", "Rule"]
