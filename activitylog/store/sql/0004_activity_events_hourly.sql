-- Counts by hour, tenant, event, outcome and route, kept up by the view behind activity_events. Ask with
-- sum(...) and GROUP BY: rows of one key are added up only when parts merge.
--
-- Three counts side by side: RowCount what is stored, EventCount what those rows say they stand for after roll-up
-- (unweighted), Weighted what was emitted before sampling, as far as the rows can tell; sqrt(sum(Variance)) is the
-- standard error of sum(Weighted). The sums are signed: a correction is a row, too.
CREATE TABLE IF NOT EXISTS activity_events_hourly
(
    Hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    EventName LowCardinality(String) CODEC(ZSTD(1)),
    Outcome LowCardinality(String) CODEC(ZSTD(1)),
    HttpRoute LowCardinality(String) CODEC(ZSTD(1)),
    RowCount SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    EventCount SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    Weighted SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    Variance SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    -- rows that have a duration, the sum of those durations and the longest one, in microseconds
    TimedCount SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    DurationUs SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
    MaxDurationUs SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Hour)
ORDER BY (TenantId, EventName, Outcome, HttpRoute, Hour)
SETTINGS non_replicated_deduplication_window = 10000;
