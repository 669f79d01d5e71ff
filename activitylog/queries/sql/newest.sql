-- title: Newest events
-- answers: What happened last, in all or one tenant's feed?
-- group: timelines
-- kind: table
-- costs: reads backwards from the newest hour until there are enough; with an event that is rare, all of the range
-- example: activitylog query newest --tenant acme --limit 50
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many events
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    Timestamp AS time,
    EventName AS event,
    ActorType AS actor_type,
    ActorId AS actor,
    ObjectType AS object_type,
    ObjectId AS object,
    Outcome AS outcome,
    Body AS message
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({event:String} = '' OR EventName = {event:String})
-- The hour first, as the table is sorted: so the engine reads backwards and stops.
ORDER BY toStartOfHour(Timestamp) DESC, Timestamp DESC, Seq DESC
LIMIT {limit:UInt64}
