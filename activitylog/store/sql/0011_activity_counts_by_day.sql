-- For people and BI tools: how often each event happened, by day, tenant and outcome. Reads the hourly roll-up.
-- RowCount is what is stored, EventCount what those rows stand for after roll-up, Weighted what was emitted before
-- sampling; StandardError is that of Weighted (of several lines: the root of the sum of the squares).
-- Whoever asks needs the right to read the roll-up, and sees the rows that are theirs.
CREATE VIEW IF NOT EXISTS activity_counts_by_day SQL SECURITY INVOKER AS
SELECT
    toDate(hourly.Hour) AS Day,
    hourly.TenantId AS TenantId,
    hourly.EventName AS EventName,
    hourly.Outcome AS Outcome,
    sum(hourly.RowCount) AS RowCount,
    sum(hourly.EventCount) AS EventCount,
    sum(hourly.Weighted) AS Weighted,
    sqrt(greatest(sum(hourly.Variance), 0)) AS StandardError
FROM activity_events_hourly AS hourly
GROUP BY Day, TenantId, EventName, Outcome
HAVING RowCount != 0;
