"""The decision about every event: the first rule that takes it, and what that rule does."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from time import time_ns

from activitylog.rules import RuleSet
from activitylog.sampling.budget import Budget, Clock, Settle, Ticket
from activitylog.sampling.randomness import generator as own_generator
from activitylog.sampling.stages import EventDict, Stage, Surroundings, compile_stage
from activitylog.sampling.verdict import Verdict

_NO_RULE = Verdict()


def _no_rule(_method_name: str, _event_dict: EventDict) -> Verdict:
    return _NO_RULE


class Sampler:
    """
    Decides by rules, from any thread, without I/O.

    Args:
        rules: compiled rules.
        key: the secret of the hash by which units are decided; processes with the same key agree.
        clock: wall nanoseconds.
        settle: is given each event that a budget held, and what was decided; called by ``tick``, ``cut``,
            ``place`` and, for events that lose their place, ``decide``. It must not raise.
        previous: the sampler that this one replaces. Rules that are equal go on where they are: their windows,
            rates and counts. What others still hold stays with ``previous``, to be ticked until it holds nothing.
        dry_run: all rules only say what they would do.
        generator: draws for single events; for tests.
    """

    def __init__(
        self,
        rules: RuleSet,
        *,
        key: bytes,
        settle: Settle,
        clock: Clock = time_ns,
        previous: Sampler | None = None,
        dry_run: bool = False,
        generator: random.Random = own_generator,
    ) -> None:
        self.rules = rules
        self._find = rules.find
        self._surroundings = Surroundings(
            key=key, clock=clock, settle=settle, generator=generator, dry_run=dry_run
        )
        going_on = self._going_on(previous)
        self._stages = [
            going_on.get(rule_index) or compile_stage(rule, self._surroundings)
            for rule_index, rule in enumerate(rules.rules)
        ]
        self._budgets: list[Budget] = [stage.budget for stage in self._stages if stage.budget is not None]
        # The last one answers for index -1: no rule.
        self._decide = (*(stage.decide for stage in self._stages), _no_rule)
        self._decide_durable = (*(stage.decide_durable for stage in self._stages), _no_rule)
        if previous is not None:  # not before all are compiled: one that failed would leave nobody to tick them
            previous._hand_over(going_on.values(), settle)

    def _going_on(self, previous: Sampler | None) -> dict[int, Stage]:
        """The stages of the previous sampler that go on in this one, by the index of the rule that they equal."""
        if (
            previous is None
            or replace(previous._surroundings, settle=self._surroundings.settle) != self._surroundings
        ):
            return {}
        free, found = list(previous._stages), {}
        for index, rule in enumerate(self.rules.rules):
            for stage in free:
                if stage.rule == rule:
                    free.remove(stage)
                    found[index] = stage
                    break
        return found

    def _hand_over(self, stages: Iterable[Stage], settle: Settle) -> None:
        """These are another sampler's now; events that are being decided here may still use them."""
        for stage in stages:
            self._stages.remove(stage)
            if stage.budget is not None:
                self._budgets.remove(stage.budget)
                stage.budget.settle = settle

    def decide(self, method_name: str, event_dict: EventDict, *, durable: bool = False) -> Verdict | Ticket:
        """
        What becomes of one event. Never raises.

        Args:
            method_name: the logger's method.
            event_dict: the keywords of ``emit`` and ``event``. A kept event is marked with what it stands for.
            durable: its caller asks for it to be durable: it is dropped or kept, and never waits.

        Returns:
            The verdict; or, for an event that waits in a budget, its ticket: render the event and ``place`` it.
        """
        try:
            decisions = self._decide_durable if durable else self._decide
            verdict = decisions[self._find(method_name, event_dict)](method_name, event_dict)
            if verdict.__class__ is Verdict and not verdict.reason:
                verdict.mark(event_dict)
        except Exception:  # noqa: BLE001 - a bug of ours must not cost the event, which then stands for itself
            return _NO_RULE
        return verdict

    def tick(self) -> None:
        """Settle what waits in seconds that are over. Call it about twice a second."""
        for budget in self._budgets:
            budget.tick()

    def cut(self) -> None:
        """Settle all that waits, now; later events are decided at once, without holding them."""
        for budget in self._budgets:
            budget.cut()

    def held(self) -> int:
        """Events that wait in budgets."""
        return sum(budget.held() for budget in self._budgets)

    def last_end_ns(self) -> int | None:
        """Wall nanoseconds at which the last second that holds events is over; None when nothing is held."""
        ends = [end for budget in self._budgets if (end := budget.last_end_ns()) is not None]
        return max(ends, default=None)
