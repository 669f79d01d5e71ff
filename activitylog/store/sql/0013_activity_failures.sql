-- The events that did not succeed, with what one needs to look into them. Reads the rows: filter by Timestamp.
CREATE VIEW IF NOT EXISTS activity_failures SQL SECURITY INVOKER AS
SELECT
    Timestamp,
    TenantId,
    EventName,
    Outcome,
    ErrorType,
    ActorType,
    ActorId,
    ObjectType,
    ObjectId,
    HttpMethod,
    HttpRoute,
    HttpStatus,
    ClientAddress,
    SampleWeight * EventCount AS Weighted,
    DurationUs / 1000 AS DurationMs,
    RequestId,
    TraceId,
    SessionId,
    ServiceName,
    Body
FROM activity_events
WHERE Outcome != 'success';
