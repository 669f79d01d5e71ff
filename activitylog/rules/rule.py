"""One rule: which events it takes, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Outcomes that are never sampled unless a rule says otherwise in words (``keep = []``).
NEVER_SAMPLED: Final = frozenset({"failure", "denied"})

Match = str | Sequence[str] | Mapping[str, Any] | Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    What is done with the events that match, unless an earlier rule took them.

    At most one of these kinds: ``drop``, ``keep`` (True), ``durable``, or thinning. Thinning may combine, and then
    works in this order: outcomes in ``keep`` are kept; the ``first`` ones are kept; ``sample`` or
    ``target_per_second`` thins the rest; ``max_per_second`` bounds what is left; or ``rollup`` folds it.
    """

    match: Match
    """An event name glob, several of them, a table of conditions, or (in code) any callable."""
    name: str = ""
    """What ``SampleRule`` and the counters call it; by default the globs, else ``rule N``."""
    drop: bool = False
    """Nothing that matches is kept, whatever its outcome, except outcomes in ``keep``."""
    keep: bool | frozenset[str] = NEVER_SAMPLED
    """True: everything is kept, at weight 1. Else the outcomes that are never sampled and never rolled up."""
    durable: bool = False
    """Never sampled; what "on disk" means is up to the durability of the pipeline."""
    sample: float | None = None
    """The share that is kept, above 0 and below 1."""
    by: str = "event"
    """The unit that is kept or dropped as a whole: ``event``, ``trace``, ``session``, ``actor``, ``tenant`` or the
    name of an attribute. Events that lack it are decided one by one."""
    max_per_second: int | None = None
    """Most events kept in any whole second of this process's clock, for each key of ``per``."""
    target_per_second: float | None = None
    """Events a second to aim at, over all keys of ``per``: rare keys are kept, frequent ones thinned. No bound."""
    per: str | None = None
    """The key of ``max_per_second`` (each has the bound) and ``target_per_second`` (they share it): as ``by``,
    or ``name`` for the event's name. Without it the rule has one bound, and one share for each event name."""
    first: int = 0
    """So many events of a key are kept, at weight 1, in each window before sampling starts."""
    first_per: str | None = None
    """The key of ``first``, beside event name, tenant and outcome, which are always part of it."""
    first_window_seconds: float = 60.0
    """Length of that window (``first_window`` in TOML: ``"1m"``)."""
    rollup_seconds: float | None = None
    """Similar events within so many seconds become one (``rollup`` in TOML: ``"10s"``)."""
    rollup_by: tuple[str, ...] = ("actor", "object", "target")
    """What similar events share, beside event name, tenant, outcome and weight, which are always part of it."""
    rollup_sum: tuple[str, ...] = ()
    """Numeric attributes that are summed, as ``<attribute>.sum``."""
    dry_run: bool = False
    """Decide, but keep the event at weight 1, and write what would have become of it to the event."""
