"""Rules that say who belongs to a segment: read from JSON, compiled to one statement of SQL, said in words."""

from campaigns.rules.nodes import Rule
from campaigns.rules.parsing import parse
from campaigns.rules.reading import RuleError

__all__ = ["Rule", "RuleError", "parse"]
