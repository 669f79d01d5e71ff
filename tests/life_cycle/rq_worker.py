"""A worker of RQ that stays, in a script as its users write one: ``python -m tests.life_cycle.rq_worker``."""

from __future__ import annotations

from tests.life_cycle import rq_jobs

if __name__ == "__main__":
    rq_jobs.work(stays=True)
