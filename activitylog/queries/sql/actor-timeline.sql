-- title: Timeline of an actor
-- answers: What did this actor do, newest first?
-- group: timelines
-- kind: table
-- costs: the index of actors leads to the blocks that may hold this one; the busiest is found in the daily roll-up
-- example: activitylog query actor-timeline --actor 42 --since 2026-05-01
-- param actor String = : id of the actor; empty: the one with most events on the whole days of the range
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many events
WITH
    -- days of which rows are here: archived or expired they leave by the partition, and the roll-up keeps their counts
    (
        SELECT groupUniqArrayArray(arrayMap(day -> toDate32(first) + day, range(dateDiff('day', first, last) + 1)))
        FROM (SELECT min(Timestamp) AS first, max(Timestamp) AS last FROM activity_events GROUP BY _partition_id)
    ) AS present
SELECT
    Timestamp AS time,
    ActorType AS actor_type,
    ActorId AS actor,
    EventName AS event,
    ObjectType AS object_type,
    ObjectId AS object,
    Outcome AS outcome,
    Body AS message
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
    AND ActorId = if({actor:String} != '', {actor:String}, (
        SELECT ActorId
        FROM activity_events_actor_daily
        WHERE {actor:String} = '' AND Day >= toDate32({since:DateTime64(9, 'UTC')}) AND Day <= toDate32({until:DateTime64(9, 'UTC')})
            AND Day IN (SELECT arrayJoin(present))
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
        GROUP BY ActorId
        ORDER BY sum(Weighted) DESC, ActorId
        LIMIT 1
    ))
ORDER BY toStartOfHour(Timestamp) DESC, Timestamp DESC, Seq DESC
LIMIT {limit:UInt64}
