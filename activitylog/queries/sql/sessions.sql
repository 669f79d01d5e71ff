-- title: Sessions
-- answers: Which sessions were there, how long were they, and how much happened in each? The newest first. A session
--   is what shares a session id; without ids it ends where its actor pauses.
-- group: timelines
-- kind: table
-- costs: reads times, sessions, actors and counts of all rows of the range (about 46 bytes a row), and holds the times
--   in memory
-- example: activitylog query sessions --days 1 --gap-minutes 15
-- param gap_minutes UInt32 = 30 : without session ids, a longer pause ends a session
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 1 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many sessions
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    fromUnixTimestamp64Nano(part[1].1, 'UTC') AS started,
    fromUnixTimestamp64Nano(part[-1].1, 'UTC') AS ended,
    round((part[-1].1 - part[1].1) / 60e9, 2) AS minutes,
    tenant,
    who.1 AS actor_type,
    who.2 AS actor,
    session,
    toUInt64(length(part)) AS rows,
    arraySum(part.2) AS events
FROM
(
    SELECT
        TenantId AS tenant,
        if(SessionId != '', '', ActorType) AS of_type,
        if(SessionId != '', '', ActorId) AS of_actor,
        SessionId AS session,
        -- the newest actor that is named: a session may begin before anybody has logged in
        argMaxIf((ActorType, ActorId), Timestamp, ActorId != '') AS who,
        arraySort(groupArray((toUnixTimestamp64Nano(Timestamp), SampleWeight * EventCount))) AS steps,
        if(SessionId != '', [steps], arraySplit(
            (step, pause) -> pause > {gap_minutes:UInt32} * 60000000000, steps, arrayDifference(steps.1))) AS parts
    FROM activity_events
    WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
        AND (SessionId != '' OR ActorId != '')
    GROUP BY tenant, of_type, of_actor, session
)
ARRAY JOIN parts AS part
ORDER BY started DESC, tenant, actor_type, actor, session
LIMIT {limit:UInt64}
