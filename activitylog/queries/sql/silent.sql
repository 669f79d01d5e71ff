-- title: Who fell silent
-- answers: Which services, producers, events or tenants have stopped sending, and how many events should have come
--   since then, at their usual pace? Counted up to the newest event of all; with until, up to then, so that all can
--   be silent.
-- group: quality
-- kind: ranking
-- x: what
-- y: expected
-- costs: reads times, counts and one name of all rows of the range (about 28 bytes a row)
-- example: activitylog query silent --by event --expected 50
-- param by Enum8('service'=1,'producer'=2,'event'=3,'tenant'=4) = service : service, producer, event or tenant
-- param minutes UInt32 = 60 : silent at least so long
-- param expected UInt32 = 10 : at least so many events are missed since the last one
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many
WITH
    {by:Enum8('service'=1,'producer'=2,'event'=3,'tenant'=4)} AS kind,
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start,
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC'), least({until:DateTime64(9, 'UTC')}, now64(9, 'UTC')),
        least(assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1))) AS end
SELECT
    what,
    rows,
    events,
    first,
    last,
    round((toUnixTimestamp64Milli(end) - toUnixTimestamp64Milli(last)) / 60000, 1) AS silent_minutes,
    -- the pace from its first event to its last
    ifNotFinite(round((events - 1) * (toUnixTimestamp64Milli(end) - toUnixTimestamp64Milli(last))
        / greatest(toUnixTimestamp64Milli(last) - toUnixTimestamp64Milli(first), 1000), 1), 0) AS expected
FROM
(
    SELECT
        multiIf(kind = 'service', toString(ServiceName), kind = 'producer', toString(Producer),
            kind = 'event', toString(EventName), toString(TenantId)) AS what,
        count() AS rows,
        sum(SampleWeight * EventCount) AS events,
        min(Timestamp) AS first,
        max(Timestamp) AS last
    FROM activity_events
    WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    GROUP BY what
)
WHERE what != '' AND rows > 1 AND silent_minutes >= {minutes:UInt32} AND expected >= {expected:UInt32}
ORDER BY expected DESC, what
LIMIT {limit:UInt64}
