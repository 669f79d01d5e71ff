"""
How well sampled rows tell the truth: the same questions of all rows, and of those that sampling left.

::

    python -m tests.benchmarks.sampling changes.ndjson.gz access.log.gz --draws 10 --out result.json

FILE is what ``activitylog ingest`` reads. Each file is sent once without rules: its rows are the truth. Then it is
sent again and again under rules (:mod:`tests.benchmarks.sampling.plans`): shares of 1, 5 and 20 %, of single
events, of whole units (a session, or a request where the file has them) and of whole actors; and budgets of 5 % of
the mean rate. Each time has a key and chances of its own. After each the stored rows are asked by SQL
(:mod:`tests.benchmarks.sampling.asking`) what the truth is known of: how many in all, by event name, actor, day,
outcome and the like; each answer has an estimate, a standard error, and whether it may be trusted. The product's
own answers, the question ``estimates`` and the view ``activity_estimates_by_unit``, must be the same numbers. The
exact counters must equal the truth in every cell, whatever was sampled; else the run ends with an AssertionError.

It is the real pipeline: ``emit``, rules, chain, queue, exporter, chDB. One thing is replaced: budgets and counters
go by the clock, so the admission is given one that follows the times of the records. For the budgets it runs
faster, so that the mean rate is 1,000 events a second: these records come at a few an hour.

What sampling costs is asked by :mod:`tests.benchmarks.test_sampling_cost` and, beside a Collector that drops,
:mod:`tests.benchmarks.sampling.collector`. ``RESULTS.md`` has the last figures.
"""
