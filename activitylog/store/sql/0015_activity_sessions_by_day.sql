-- The sessions of each day, by session id: when they began and ended on it, how much happened, by whom (the newest
-- actor that is named). A session that goes past midnight is a line on each day. Reads the rows: filter by Day.
CREATE VIEW IF NOT EXISTS activity_sessions_by_day SQL SECURITY INVOKER AS
SELECT
    -- by the hour, as the table is sorted: so a filter by Day skips the other days
    toDate(toStartOfHour(events.Timestamp)) AS Day,
    events.TenantId AS TenantId,
    events.SessionId AS SessionId,
    argMaxIf(events.ActorType, events.Timestamp, events.ActorId != '') AS ActorType,
    argMaxIf(events.ActorId, events.Timestamp, events.ActorId != '') AS ActorId,
    min(events.Timestamp) AS Started,
    max(events.Timestamp) AS Ended,
    (toUnixTimestamp64Micro(Ended) - toUnixTimestamp64Micro(Started)) / 1000000 AS Seconds,
    count() AS RowCount,
    sum(events.SampleWeight * events.EventCount) AS Weighted,
    countIf(events.Outcome IN ('failure', 'denied')) AS FailedRows
FROM activity_events AS events
WHERE events.SessionId != ''
GROUP BY Day, TenantId, SessionId;
