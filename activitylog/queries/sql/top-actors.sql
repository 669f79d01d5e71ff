-- title: Busiest actors
-- answers: Who did most? events counts what was sampled out and rolled up, too.
-- group: who
-- kind: ranking
-- x: actor
-- y: events
-- costs: reads actors, names and counts of all rows of the range (about 33 bytes a row); memory for every actor in it
-- example: activitylog query top-actors --event order.placed --days 7
-- param event String = : only events of this name; empty: all
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 30 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many actors
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    TenantId AS tenant,
    ActorType AS actor_type,
    ActorId AS actor,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    uniqExact(EventName) AS event_names,
    min(Timestamp) AS first,
    max(Timestamp) AS last
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({event:String} = '' OR EventName = {event:String})
    AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
    -- Names and times only of those that are shown: to keep them for everybody takes longer.
    AND (TenantId, ActorType, ActorId) IN (
        SELECT TenantId, ActorType, ActorId
        FROM activity_events
        WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({event:String} = '' OR EventName = {event:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
            AND ActorId != ''
        GROUP BY TenantId, ActorType, ActorId
        ORDER BY sum(SampleWeight * EventCount) DESC, TenantId, ActorType, ActorId
        LIMIT {limit:UInt64}
    )
GROUP BY tenant, actor_type, actor
ORDER BY events DESC, tenant, actor_type, actor
LIMIT {limit:UInt64}
