-- title: What grew and what fell
-- answers: Which events, routes, actors or tenants grew or fell most, against the time of the same length before?
-- group: what
-- kind: ranking
-- x: what
-- y: change
-- costs: the hourly roll-up of both times; for actors their rows
-- example: activitylog query top-movers --by actor --hours 168
-- param by Enum8('event'=1,'route'=2,'actor'=3,'tenant'=4) = event : event, route, actor or tenant
-- param hours UInt32 = 24 : this many hours up to the newest event, and as many before them
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many
WITH
    {by:Enum8('event'=1,'route'=2,'actor'=3,'tenant'=4)} AS kind,
    toDateTime64(toStartOfHour(greatest(least(
        {until:DateTime64(9, 'UTC')} - toIntervalNanosecond(1), assumeNotNull((SELECT max(Timestamp) FROM activity_events)),
        -- one event of a wrong clock is not the newest; where all are later, it is this clock that is wrong
        if(assumeNotNull((SELECT min(Timestamp) FROM activity_events)) > now() + toIntervalHour(1),
            {until:DateTime64(9, 'UTC')}, now64(9, 'UTC') + toIntervalHour(1))
    ), toDateTime64(0, 9, 'UTC'))), 0, 'UTC') + toIntervalHour(1) AS end,
    end - toIntervalHour(least({hours:UInt32}, 1000000)) AS middle,
    middle - toIntervalHour(least({hours:UInt32}, 1000000)) AS begin
SELECT
    what,
    sumIf(weighted, hour < middle) AS before,
    sumIf(weighted, hour >= middle) AS now,
    now - before AS change,
    if(before > 0, round(100 * change / before, 1), NULL) AS percent
FROM
(
    SELECT
        multiIf(kind = 'event', toString(EventName), kind = 'route', toString(HttpRoute), toString(TenantId)) AS what,
        Hour AS hour,
        Weighted AS weighted
    FROM activity_events_hourly
    WHERE kind != 'actor' AND Hour >= begin AND Hour < end
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    UNION ALL
    SELECT concat(ActorType, ':', ActorId) AS what, toStartOfHour(Timestamp) AS hour, SampleWeight * EventCount AS weighted
    FROM activity_events
    WHERE kind = 'actor' AND Timestamp >= begin AND Timestamp < end
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ActorId != ''
)
WHERE what != ''
GROUP BY what
HAVING change != 0
ORDER BY abs(change) DESC, what
LIMIT {limit:UInt64}
