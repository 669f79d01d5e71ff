-- title: Events by hour
-- answers: How much happened in each of the newest hours? events counts what was sampled out and rolled up, too.
-- kind: series
-- x: hour
-- y: events
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 72 : this many hours up to the newest event
SELECT hour, rows, events
FROM
(
    SELECT
        toDateTime64(toStartOfHour(Timestamp), 0, 'UTC') AS hour,
        count() AS rows,
        sum(SampleWeight * EventCount) AS events
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({event:String} = '' OR EventName = {event:String})
    GROUP BY hour
    ORDER BY hour DESC WITH FILL STEP INTERVAL -1 HOUR
    LIMIT {limit:UInt64}
)
ORDER BY hour
