-- What each process counted before sampling, filters and roll-up: exact totals, whatever was kept. A row is one
-- counter of one process for one minute. Reason is empty for events that were kept, else why they were not.
CREATE TABLE IF NOT EXISTS activity_counters
(
    Minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    EventName LowCardinality(String) CODEC(ZSTD(1)),
    Outcome LowCardinality(String) CODEC(ZSTD(1)),
    Rule LowCardinality(String) CODEC(ZSTD(1)),
    Reason LowCardinality(String) CODEC(ZSTD(1)),
    EventCount UInt64 CODEC(T64, ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Producer LowCardinality(String) CODEC(ZSTD(1)),
    Seq UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(Minute)
ORDER BY (TenantId, EventName, Outcome, Minute, Producer, Seq)
SETTINGS non_replicated_deduplication_window = 10000;
