CREATE MATERIALIZED VIEW IF NOT EXISTS activity_events_actor_daily_mv TO activity_events_actor_daily AS
SELECT
    toDate(events.Timestamp) AS Day,
    events.TenantId AS TenantId,
    events.ActorType AS ActorType,
    events.ActorId AS ActorId,
    toInt64(count()) AS RowCount,
    toInt64(sum(events.EventCount)) AS EventCount,
    sum(events.SampleWeight * events.EventCount) AS Weighted,
    min(toDateTime(events.Timestamp, 'UTC')) AS FirstSeen,
    max(toDateTime(events.Timestamp, 'UTC')) AS LastSeen
FROM activity_events AS events
WHERE events.ActorId != ''
GROUP BY Day, TenantId, ActorType, ActorId;
