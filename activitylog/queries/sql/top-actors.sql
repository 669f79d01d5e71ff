-- title: Busiest actors
-- answers: Who did most? events counts what was sampled out and rolled up, too.
-- kind: ranking
-- x: actor
-- y: events
-- param event String = : only events of this name; empty: all
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many actors
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
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({event:String} = '' OR EventName = {event:String})
    AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
    AND ActorId != ''
GROUP BY tenant, actor_type, actor
ORDER BY events DESC, tenant, actor_type, actor
LIMIT {limit:UInt64}
