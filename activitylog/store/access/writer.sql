-- May insert: the direct exporter into activity_events, a Collector into activity_events_ingest, and exact counters there
-- by either way.
-- INSERT brings SHOW TABLES and SHOW COLUMNS on the same table, which is all that the drivers ask besides.
CREATE ROLE IF NOT EXISTS $writer$on_cluster;
GRANT$on_cluster INSERT ON $database.activity_events TO $writer;
GRANT$on_cluster INSERT ON $database.activity_events_ingest TO $writer;
-- Ids and times, and nothing else of a row: after a long outage the direct exporter asks which events are there already.
GRANT$on_cluster SELECT(EventId, Timestamp) ON $database.activity_events TO $writer;
-- What exactly once depends on, for clients that do not say it themselves.
CREATE SETTINGS PROFILE OR REPLACE $writer$on_cluster SETTINGS
    async_insert = 0,
    deduplicate_blocks_in_dependent_materialized_views = 1,
    distributed_foreground_insert = 1,
    allow_ddl = 0 CONST
TO $writer;
