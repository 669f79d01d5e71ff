"""
What the store costs beside other tables of logs: one run, one table of ratios.

::

    python -m tests.benchmarks.storage --events 5000000 --out result.json
    python -m tests.benchmarks.storage --data changes.ndjson.gz access.log.gz

The same log records go into the tables of this project, into ``otel_logs`` as the OpenTelemetry Collector's
ClickHouse exporter creates it, and into ClickStack's table (:mod:`tests.benchmarks.storage.tables`); then the same
questions are asked of each, and answers that must be equal are compared
(:mod:`tests.benchmarks.storage.questions`). Printed is one Markdown table: bytes an event, CPU of inserts and
merges, CPU of each question, ratios, geometric means. ``--out`` writes all figures as JSON, the times included.

The records are generated (:mod:`tests.benchmarks.storage.activity`) or read from files by ``activitylog ingest``.
The engine is chDB in this process, in a temporary folder (``--store`` keeps it): 500,000 events need about 2 GB of
disk and two minutes, five million 8 GB and a quarter of an hour on two cores.

How it measures: CPU is the whole process's, so compare within a run, on a machine that is busy, too. Inserts are
batches of ``--batch`` rows with merges stopped, less the cost of reading the staged records; then everything is
merged into one part a partition, which is what sizes are of. Each question is asked ``--rounds`` times of all
tables in turn, warm (read before, functions compiled), with the query condition cache off; medians count. A
filter by an attribute is asked of the peers in two spellings, and the cheaper one counts. Files of many years are
partitioned by month in all tables; else the peers keep their days.

:mod:`tests.benchmarks.test_storage` runs all of it on two thousand events. ``RESULTS.md`` has the last figures.
"""
