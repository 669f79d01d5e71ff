-- title: History of an object
-- answers: What was done to this object, or with it as the target, oldest first?
-- group: timelines
-- kind: table
-- costs: the indexes of objects and targets lead to the blocks that may hold it; without an object the ids of
--   the newest days are read to find the busiest
-- example: activitylog query object-history --object-type order --object A-1
-- param object String = : id of the object; empty: the one with most events in the newest days
-- param object_type String = : kind of object; empty: any
-- param days UInt32 = 7 : without an object: of this many days up to the newest event
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 100 : at most this many events, the newest
WITH
    if({object:String} != '', {object:String}, ifNull((
        SELECT ObjectId
        FROM activity_events
        WHERE {object:String} = '' AND ObjectId != ''
            AND Timestamp >= greatest({since:DateTime64(9, 'UTC')}, least(
                {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
            ) - toIntervalDay(least({days:UInt32}, 36500)))
            AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({object_type:String} = '' OR ObjectType = {object_type:String})
        GROUP BY ObjectId
        ORDER BY sum(SampleWeight * EventCount) DESC, ObjectId
        LIMIT 1
    ), '')) AS wanted
SELECT time, actor_type, actor, event, object_type, object, role, outcome, message
FROM
(
    SELECT
        Timestamp AS time,
        ActorType AS actor_type,
        ActorId AS actor,
        EventName AS event,
        if(role = 'object', ObjectType, TargetType) AS object_type,
        wanted AS object,
        if(ObjectId = wanted AND ({object_type:String} = '' OR ObjectType = {object_type:String}), 'object', 'target') AS role,
        Outcome AS outcome,
        Body AS message,
        Seq
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND wanted != ''
        AND ((ObjectId = wanted AND ({object_type:String} = '' OR ObjectType = {object_type:String}))
            OR (TargetId = wanted AND ({object_type:String} = '' OR TargetType = {object_type:String})))
    ORDER BY time DESC, Seq DESC
    LIMIT {limit:UInt64}
)
ORDER BY time, Seq
