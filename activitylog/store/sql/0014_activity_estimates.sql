-- How many events there were before sampling, by day, tenant and event, and how sure that is. Reads the hourly roll-up.
-- The true number lies from Low to High 95 times of 100 where Trust is 'yes'. 'exact': nothing was sampled out.
-- 'no': the error is above 18 %, as of fewer than 30 sampled rows, and such an interval promises too much. The error is
-- that of sampling event by event; where whole sessions or actors were kept or dropped it is larger: ask `estimates`.
CREATE VIEW IF NOT EXISTS activity_estimates SQL SECURITY INVOKER AS
SELECT
    toDate(hourly.Hour) AS Day,
    hourly.TenantId AS TenantId,
    hourly.EventName AS EventName,
    sum(hourly.RowCount) AS RowCount,
    sum(hourly.EventCount) AS EventCount,
    sum(hourly.Weighted) AS Weighted,
    sqrt(greatest(sum(hourly.Variance), 0)) AS StandardError,
    least(greatest(Weighted - 1.96 * StandardError, toFloat64(EventCount)), Weighted) AS Low,
    Weighted + 1.96 * StandardError AS High,
    multiIf(Weighted < EventCount, 'no', StandardError = 0, 'exact', Weighted < sqrt(30) * StandardError, 'no', 'yes') AS Trust
FROM activity_events_hourly AS hourly
GROUP BY Day, TenantId, EventName
HAVING RowCount != 0;
