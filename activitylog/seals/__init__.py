"""
Tamper evidence: a hash chain over each producer's events, in the order of their numbers, stored beside them.

Every so often a producer emits a *seal*, an event of the name ``activity.sealed``. It has a hash of each event
since the last seal, the hash of the seal before, and one over all of that::

    leaf   = sha256(canonical text of an event), its first 16 bytes
    chain  = sha256(chain of the seal before, producer, first, last, leaves)

The first seal's predecessor is 32 zero bytes. ``activitylog seals verify`` reads the rows, makes the hashes
again and says which events were changed, taken out or put in. The hashes are over texts as ClickHouse has them, so
they hold for both ways in, directly and through a Collector.

What it proves: of what a seal covers nothing was changed, removed or added later, by anybody who cannot also
rewrite all later seals. Whoever owns the database can do that; a *checkpoint*
(:mod:`activitylog.seals.checkpoint`), signed and kept elsewhere, fixes the chains as they were at that time. What
it does not prove: that an event is true; that the events after the last seal (half a second, the last one after
``shutdown``, or what a killed process had not sealed) are all there; who wrote it. Not covered are the resource
(``service.name``), the scope, the severity's name and the trace's flags.

An erased person's events, and those that were lost, are missing, as they must be; seals are about nobody, and
stay. A seal may be lost, too, which nobody can tell from one that was taken out. While all its events are there it
is made again of them: the seal behind it has its hash, so they are proved as before, and only it is missing. Else
its numbers are a *hole*. Nothing is proved of these, and the chain is cut: whoever took the seal out may have
rewritten what is before it, and no later seal says otherwise. So a hole is never taken for sealed. A checkpoint
may be signed all the same. It has the pieces of the chain on both sides, as they were then, and proves nothing of
the hole between. A seal that was there at a checkpoint was not lost: a hole in its place is a break.

Retention and archives take all rows of a time, seals and all, so a chain may lose its beginning. Where its
oldest seal is hardly younger than what they took, that is no break: the chain *begins with* a later number,
nothing is proved of what was before, and what a checkpoint has of that cannot be compared any more. A beginning
that is missing for no such reason is a hole.
"""

from activitylog.seals.leaf import NOTHING, chain_of, leaf_of
from activitylog.seals.sealer import MAX_EVENTS, SEAL_EVENT_NAME, Sealer

__all__ = ["MAX_EVENTS", "NOTHING", "SEAL_EVENT_NAME", "Sealer", "chain_of", "leaf_of"]
