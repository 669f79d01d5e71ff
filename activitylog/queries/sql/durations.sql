-- title: Where time goes
-- answers: Which events and routes take the most time in all, and how long on average and at most? Of the rows that
--   have a duration, as they are stored: what was sampled out is not in it.
-- group: trouble
-- kind: ranking
-- x: route
-- y: total_seconds
-- costs: whole hours from the hourly roll-up, the ends of the range from the rows
-- example: activitylog query durations --since 2026-05-01 --until 2026-05-02
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many
SELECT
    event,
    route,
    toUInt64(sum(timed)) AS rows,
    sum(duration) / 1e6 AS total_seconds,
    ifNotFinite(round(sum(duration) / sum(timed) / 1000, 3), 0) AS mean_ms,
    max(longest) / 1000 AS max_ms
FROM
(
    SELECT EventName AS event, HttpRoute AS route, toInt64(TimedCount) AS timed, toFloat64(DurationUs) AS duration, MaxDurationUs AS longest
    FROM activity_events_hourly
    WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= {until:DateTime64(9, 'UTC')} - toIntervalHour(1)
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({event:String} = '' OR EventName = {event:String})
    UNION ALL
    SELECT EventName AS event, HttpRoute AS route, toInt64(1) AS timed, toFloat64(DurationUs) AS duration, DurationUs AS longest
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND (toStartOfHour(Timestamp) < {since:DateTime64(9, 'UTC')} OR toStartOfHour(Timestamp) > {until:DateTime64(9, 'UTC')} - toIntervalHour(1))
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({event:String} = '' OR EventName = {event:String})
        AND DurationUs > 0
)
GROUP BY event, route
HAVING rows > 0
ORDER BY total_seconds DESC, event, route
LIMIT {limit:UInt64}
