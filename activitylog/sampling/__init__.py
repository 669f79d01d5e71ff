"""
The decision about an event, and its weight: how many events a kept one stands for.

Every method keeps the sum of the weights right on average, in all and for each event name, tenant or anything
else:

* ``sample``: kept with the probability p, weight 1 / p. With ``by`` the draw is a keyed hash of the unit, so
  whole sessions (traces, actors, ...) are kept or dropped, in all processes that share the key, and what is
  kept at a smaller p is kept at a greater one.
* ``target_per_second``: the same, with a p for each key that follows from the arrivals of earlier seconds. It
  never follows from what was drawn or kept: such a feedback makes weights wrong.
* ``max_per_second``: the events of a second with the largest random numbers, n of which k are kept at weight n
  / k. With ``by`` whole units, those with the largest numbers; the first unit that does not fit sets a
  threshold, and weights follow from it as in ``sample``. What a unit has beyond a twentieth of the budget is
  drawn event by event, for a tenth of the budget: so no unit is too large to be counted, and none eats the
  budget.
* ``first``: the first events of a kind in a window, by their order alone, at weight 1.

Failures, denials and what a rule keeps or makes durable have weight 1 and are in no budget: where never
dropping and a budget contradict each other, never dropping wins. The ``first`` ones are in no budget either.

A hard budget bounds the kept events of every whole second of this process's clock (not of any 1,000 ms): a
second is decided when it is over, and its events wait until then. When the clock steps back by up to two
seconds the open second goes on; a larger jump opens another one. Budgets, targets and ``first`` are per
process: for a fleet divide them by the number of processes. Thresholds need no such thing.

Estimates from whole units vary more than from single events, the more the more unequal the units are: session
and trace are good units, an actor with a sixth of all events is not. Draws of a unit are the same in every
second: with one key, an actor below the threshold stays below it.
"""

from activitylog.sampling.budget import Ticket
from activitylog.sampling.sampler import Sampler
from activitylog.sampling.verdict import Verdict

__all__ = ["Sampler", "Ticket", "Verdict"]
