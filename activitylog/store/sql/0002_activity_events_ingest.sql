-- Where an unmodified OpenTelemetry Collector inserts (logs_table_name: activity_events_ingest,
-- create_schema: false): the columns of its otel_logs, names and types as contrib's clickhouseexporter has them.
-- Nothing is stored here; the view behind it types the rows.
CREATE TABLE IF NOT EXISTS activity_events_ingest
(
    Timestamp DateTime64(9),
    TraceId String,
    SpanId String,
    TraceFlags UInt8,
    SeverityText LowCardinality(String),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String),
    Body String,
    ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeSchemaUrl LowCardinality(String),
    ScopeName String,
    ScopeVersion LowCardinality(String),
    ScopeAttributes Map(LowCardinality(String), String),
    LogAttributes Map(LowCardinality(String), String),
    EventName String
)
ENGINE = Null;
