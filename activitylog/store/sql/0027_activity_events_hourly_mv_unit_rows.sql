-- As before, and how many of the rows were kept as whole units.
ALTER TABLE activity_events_hourly_mv MODIFY QUERY
SELECT
    toStartOfHour(events.Timestamp) AS Hour,
    events.TenantId AS TenantId,
    events.EventName AS EventName,
    events.Outcome AS Outcome,
    events.HttpRoute AS HttpRoute,
    toInt64(count()) AS RowCount,
    toInt64(sum(events.EventCount)) AS EventCount,
    sum(events.SampleWeight * events.EventCount) AS Weighted,
    sum(events.SampleWeight * (events.SampleWeight - 1) * pow(events.EventCount, 2)) AS Variance,
    toInt64(countIf(events.DurationUs > 0)) AS TimedCount,
    toInt64(sum(events.DurationUs)) AS DurationUs,
    toInt64(countIf(events.SampleBy != '' AND events.SampleWeight > 1)) AS UnitRows,
    max(events.DurationUs) AS MaxDurationUs
FROM activity_events AS events
GROUP BY Hour, TenantId, EventName, Outcome, HttpRoute;
