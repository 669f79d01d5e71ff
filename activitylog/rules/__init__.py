"""Which events are kept, and how often: rules, in code and in TOML, with one meaning."""

from activitylog.rules.files import RulesFile, load_rules
from activitylog.rules.parsing import parse_rules
from activitylog.rules.rule import NEVER_SAMPLED, Match, Rule
from activitylog.rules.ruleset import RuleSet, compile_rules

__all__ = ["NEVER_SAMPLED", "Match", "Rule", "RuleSet", "RulesFile", "compile_rules", "load_rules", "parse_rules"]
