-- title: Replay of a session
-- answers: What happened in this session, step by step, and how long was each pause?
-- group: timelines
-- kind: table
-- costs: the index of sessions leads to the blocks that hold it; the newest one is found backwards from the newest hour
-- example: activitylog query session-replay --session s-1
-- param session String = : id of the session; empty: that of the newest event that has one
-- param days UInt32 = 7 : without a session: of this many days up to the newest event
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 200 : at most this many events, from the beginning on
WITH
    if({session:String} != '', {session:String}, ifNull((
        SELECT SessionId
        FROM activity_events
        WHERE {session:String} = '' AND SessionId != ''
            AND Timestamp >= greatest({since:DateTime64(9, 'UTC')}, least(
                {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
            ) - toIntervalDay(least({days:UInt32}, 36500)))
            AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        ORDER BY toStartOfHour(Timestamp) DESC, Timestamp DESC, Seq DESC
        LIMIT 1
    ), '')) AS wanted
SELECT
    Timestamp AS time,
    round((toUnixTimestamp64Nano(Timestamp) - min(toUnixTimestamp64Nano(Timestamp)) OVER ()) / 1e9, 3) AS after_seconds,
    round((toUnixTimestamp64Nano(Timestamp)
        - lagInFrame(toUnixTimestamp64Nano(Timestamp), 1, toUnixTimestamp64Nano(Timestamp)) OVER steps) / 1e9, 3) AS pause_seconds,
    EventName AS event,
    ActorType AS actor_type,
    ActorId AS actor,
    ObjectType AS object_type,
    ObjectId AS object,
    trimLeft(concat(HttpMethod, ' ', HttpRoute)) AS route,
    Outcome AS outcome,
    DurationUs / 1000 AS milliseconds,
    Body AS message
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND wanted != '' AND SessionId = wanted
WINDOW steps AS (ORDER BY Timestamp, Seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY time, Seq
LIMIT {limit:UInt64}
