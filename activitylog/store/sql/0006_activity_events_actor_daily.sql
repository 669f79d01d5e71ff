-- Counts by day and actor, with the first and the last time: exact unique actors, retention, "when was she here last".
-- Ask as activity_events_hourly is asked.
CREATE TABLE IF NOT EXISTS activity_events_actor_daily
(
    Day Date CODEC(Delta(2), ZSTD(1)),
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    ActorType LowCardinality(String) CODEC(ZSTD(1)),
    ActorId String CODEC(ZSTD(1)),
    RowCount SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    EventCount SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    Weighted SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    FirstSeen SimpleAggregateFunction(min, DateTime('UTC')) CODEC(Delta(4), ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime('UTC')) CODEC(Delta(4), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Day)
ORDER BY (TenantId, Day, ActorType, ActorId)
SETTINGS non_replicated_deduplication_window = 10000;
