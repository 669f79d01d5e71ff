-- title: Sessions by day
-- answers: How many sessions began on each day, how long were they, and how many events had each?
-- group: when
-- kind: series
-- x: day
-- y: sessions
-- costs: reads times, sessions, actors and counts of all rows of the range (about 46 bytes a row), and holds the times
--   in memory
-- example: activitylog query session-lengths --days 14 --plot
-- param gap_minutes UInt32 = 30 : without session ids, a longer pause ends a session
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 90 : this many days up to the newest session
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Timestamp) FROM activity_events)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT day, sessions, median_minutes, p90_minutes, single, rows_per_session, events_per_session
FROM
(
    SELECT
        toDate(fromUnixTimestamp64Nano(part[1].1, 'UTC')) AS day,
        count() AS sessions,
        round(ifNotFinite(quantileExactInclusive(0.5)((part[-1].1 - part[1].1) / 60e9), 0), 2) AS median_minutes,
        round(ifNotFinite(quantileExactInclusive(0.9)((part[-1].1 - part[1].1) / 60e9), 0), 2) AS p90_minutes,
        countIf(length(part) = 1) AS single,
        round(avg(length(part)), 2) AS rows_per_session,
        round(avg(arraySum(part.2)), 2) AS events_per_session
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
        WHERE Timestamp >= start AND Timestamp < bound
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
            AND (SessionId != '' OR ActorId != '')
        GROUP BY tenant, of_type, of_actor, session
    )
    ARRAY JOIN parts AS part
    GROUP BY day
    ORDER BY day DESC WITH FILL STEP INTERVAL -1 DAY
    LIMIT {limit:UInt64}
)
ORDER BY day
