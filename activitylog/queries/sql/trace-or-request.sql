-- title: Everything in one trace or request
-- answers: What else happened in the same trace, request or session, in order?
-- kind: table
-- param id String = : trace id, request id or session id; empty: of the newest event that has a request or a trace
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 200 : at most this many events
WITH
    if({id:String} != '', {id:String}, ifNull((
        SELECT if(RequestId != '', RequestId, TraceId)
        FROM activity_events
        WHERE {id:String} = '' AND (RequestId != '' OR TraceId != '')
            AND Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        ORDER BY Timestamp DESC, Seq DESC
        LIMIT 1
    ), '')) AS wanted
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
    AND (RequestId = wanted OR TraceId = wanted OR SessionId = wanted)
ORDER BY Timestamp, Seq
LIMIT {limit:UInt64}
