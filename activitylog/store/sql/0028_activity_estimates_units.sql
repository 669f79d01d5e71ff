-- How many events there were before sampling, by day, tenant and event, and how sure that is. Reads the hourly roll-up.
-- The true number lies from Low to High 95 times of 100 where Trust is 'yes'. 'exact': nothing was sampled out.
-- 'no': the interval promises too much, Reason says why. 'ask': rows were kept as whole sessions, actors or other
-- units (UnitRows of them), whose error is larger than the one here: activity_estimates_by_unit has it, from the rows.
CREATE OR REPLACE VIEW activity_estimates SQL SECURITY INVOKER AS
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
    multiIf(
        NOT isFinite(Weighted) OR Weighted < EventCount, 'no',
        StandardError = 0, 'exact',
        Weighted < sqrt(30) * StandardError, 'no',
        UnitRows > 0, 'ask',
        'yes') AS Trust,
    sum(hourly.UnitRows) AS UnitRows,
    multiIf(
        NOT isFinite(Weighted) OR Weighted < EventCount, 'weights below 1',
        StandardError = 0, '',
        Weighted < sqrt(30) * StandardError, 'too few sampled rows: the error is above 18 %',
        UnitRows > 0, 'kept as whole units: ask activity_estimates_by_unit',
        '') AS Reason
FROM activity_events_hourly AS hourly
GROUP BY Day, TenantId, EventName
HAVING RowCount != 0;
