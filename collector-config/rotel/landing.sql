-- Rotel inserts into <prefix>_logs. This is that name for the landing table. Run it after `activitylog schema apply`.
CREATE TABLE IF NOT EXISTS activity_events_ingest_logs AS activity_events_ingest ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS activity_events_ingest_logs_mv TO activity_events_ingest AS
SELECT * FROM activity_events_ingest_logs;
