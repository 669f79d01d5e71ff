-- title: Slow operations
-- answers: Which events and routes take long: half of them, 95 of 100, 99 of 100 and the slowest? Weighted by what was
--   sampled out, to three digits; max is exact.
-- group: trouble
-- kind: ranking
-- x: route
-- y: p95_ms
-- costs: reads durations, counts, names and routes of all rows of the range (about 35 bytes a row)
-- example: activitylog query slow-operations --days 1 --at-least 100
-- param event String = : only events of this name; empty: all
-- param at_least UInt64 = 1 : leave out what has fewer rows with a duration
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start,
    -- Three digits: so few different values that exact quantiles are cheap, whatever the number of rows.
    round(DurationUs, 2 - toInt8(floor(log10(greatest(DurationUs, 1))))) AS duration,
    toUInt64(least(greatest(round(SampleWeight * EventCount), 1), 1e9)) AS weight
SELECT
    EventName AS event,
    if(HttpRoute != '', trimLeft(concat(HttpMethod, ' ', HttpRoute)), EventName) AS route,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    max(DurationUs) / 1000 AS max_ms,
    least(quantileExactWeighted(0.5)(duration, weight) / 1000, max_ms) AS p50_ms,
    least(quantileExactWeighted(0.95)(duration, weight) / 1000, max_ms) AS p95_ms,
    least(quantileExactWeighted(0.99)(duration, weight) / 1000, max_ms) AS p99_ms
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({event:String} = '' OR EventName = {event:String})
    AND DurationUs > 0
GROUP BY event, route
HAVING rows >= {at_least:UInt64}
ORDER BY p95_ms DESC, max_ms DESC, event, route
LIMIT {limit:UInt64}
