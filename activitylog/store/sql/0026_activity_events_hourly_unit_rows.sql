-- Rows of a weight above 1 that were kept as whole units. Variance, which is that of single rows, is too small for them.
ALTER TABLE activity_events_hourly
    ADD COLUMN IF NOT EXISTS UnitRows SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1));
