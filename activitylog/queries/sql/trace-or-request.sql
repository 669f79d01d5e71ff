-- title: Everything in one trace or request
-- answers: What else happened in the same trace, request or session, in order? Or: which event has this event id?
-- group: timelines
-- kind: table
-- costs: the indexes of traces, requests and sessions lead to the blocks; an event id carries its time, so that
--   only its hour is read
-- example: activitylog query trace-or-request --id 0af7651916cd43dd8448eb211c80319c
-- param id String = : trace, request, session or event id; empty: of the newest event that has a request or a trace
-- param days UInt32 = 7 : without an id: of this many days up to the newest event
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 200 : at most this many events
WITH
    if({id:String} != '', {id:String}, ifNull((
        SELECT if(RequestId != '', RequestId, TraceId)
        FROM activity_events
        WHERE {id:String} = '' AND (RequestId != '' OR TraceId != '')
            AND Timestamp >= greatest({since:DateTime64(9, 'UTC')}, least(
                {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
            ) - toIntervalDay(least({days:UInt32}, 36500)))
            AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        ORDER BY toStartOfHour(Timestamp) DESC, Timestamp DESC, Seq DESC
        LIMIT 1
    ), '')) AS wanted,
    toUUIDOrZero(wanted) AS uid,
    -- Version 7: the first 48 bits are the event's time. Of any other id the time is not known.
    fromUnixTimestamp64Milli(toInt64(reinterpretAsUInt64(reverse(unhex(substring(replaceAll(toString(uid), '-', ''), 1, 12))))), 'UTC') AS uid_time
SELECT
    Timestamp AS time,
    EventName AS event,
    ActorType AS actor_type,
    ActorId AS actor,
    ObjectType AS object_type,
    ObjectId AS object,
    Outcome AS outcome,
    TraceId AS trace,
    RequestId AS request,
    Body AS message
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND wanted != ''
    AND (RequestId = wanted OR TraceId = wanted OR SessionId = wanted
        OR (substring(toString(uid), 15, 1) = '7' AND EventId = uid
            AND Timestamp >= uid_time AND Timestamp < uid_time + toIntervalMillisecond(1)))
ORDER BY Timestamp, Seq
LIMIT {limit:UInt64}
