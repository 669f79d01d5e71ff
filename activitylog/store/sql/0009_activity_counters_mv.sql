-- Counters come in like events, through the landing table, from a Collector or from a process itself: a log record
-- of the name activity.counted, whose Timestamp is the beginning of the minute.
CREATE MATERIALIZED VIEW IF NOT EXISTS activity_counters_mv TO activity_counters AS
SELECT
    toStartOfMinute(toDateTime(Timestamp, 'UTC')) AS Minute,
    LogAttributes['activity.tenant.id'] AS TenantId,
    LogAttributes['activity.counter.event'] AS EventName,
    if(LogAttributes['activity.outcome'] = '', 'success', LogAttributes['activity.outcome']) AS Outcome,
    LogAttributes['activity.sample.rule'] AS Rule,
    LogAttributes['activity.counter.reason'] AS Reason,
    if(mapContains(LogAttributes, 'activity.count'), toUInt64OrZero(LogAttributes['activity.count']), 1) AS EventCount,
    ServiceName,
    LogAttributes['activity.producer'] AS Producer,
    toUInt64OrZero(LogAttributes['activity.seq']) AS Seq
FROM activity_events_ingest
WHERE activity_events_ingest.EventName = 'activity.counted';
