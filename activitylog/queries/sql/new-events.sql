-- title: New event names
-- answers: Which events were never seen before the newest days, and how often have they been seen since?
-- group: what
-- kind: ranking
-- x: event
-- y: events
-- costs: reads the hourly roll-up whole, since a first time may be long ago
-- example: activitylog query new-events --days 30
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : new is what was first seen in this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many names
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    toDateTime64(assumeNotNull((SELECT max(Hour) FROM activity_events_hourly WHERE Hour < bound)), 0, 'UTC')
        - toIntervalDay(least({days:UInt32}, 36500)) AS start
SELECT event, toDateTime64(min(hour), 0, 'UTC') AS first_hour, toUInt64(sum(stored)) AS rows, sum(weighted) AS events
FROM
(
    SELECT EventName AS event, Hour AS hour, sum(RowCount) AS stored, sum(Weighted) AS weighted
    FROM activity_events_hourly
    WHERE Hour < bound
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    GROUP BY event, hour
    HAVING stored > 0
)
GROUP BY event
HAVING first_hour > start
ORDER BY events DESC, event
LIMIT {limit:UInt64}
