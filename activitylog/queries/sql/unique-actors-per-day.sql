-- title: Unique actors by day
-- answers: How many different actors did something on each of the newest days? Exact where nothing was sampled out.
-- group: who
-- kind: series
-- x: day
-- y: actors
-- costs: the days that are shown from the daily roll-up by actor, the ends of the range from the rows
-- example: activitylog query unique-actors-per-day --actor-type user --plot
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 90 : this many days up to the newest event
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfDay(now('UTC') + toIntervalHour(1)) + toIntervalDay(1), 9, 'UTC')) AS bound,
    -- where the whole days begin and end
    toDateTime64(toDate32({since:DateTime64(9, 'UTC')} + toIntervalDay(1) - toIntervalNanosecond(1)), 9, 'UTC') AS first_day,
    toDateTime64(toDate32(bound), 9, 'UTC') AS end_day,
    (
        SELECT (toDateTime64(min(Day), 0, 'UTC'), toDateTime64(max(Day), 0, 'UTC'), count())
        FROM activity_events_actor_daily
        WHERE Day >= first_day AND Day < end_day
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
    ) AS whole,
    -- the first day that is shown, as far as the whole days go
    greatest(assumeNotNull(whole.1), assumeNotNull(whole.2) - toIntervalDay(least({limit:UInt64}, 400000))) AS earliest
SELECT day, actors, events
FROM
(
    SELECT day, countIf(ActorId != '') AS actors, sum(total) AS events
    FROM
    (
        SELECT day, TenantId, ActorType, ActorId, sum(weighted) AS total
        FROM
        (
            SELECT Day AS day, TenantId, ActorType, ActorId, RowCount AS stored, Weighted AS weighted
            FROM activity_events_actor_daily
            WHERE Day >= first_day AND Day < end_day AND Day >= earliest
                AND ({tenant:String} = '' OR TenantId = {tenant:String})
                AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
            UNION ALL
            SELECT toDate(Timestamp) AS day, TenantId, ActorType, ActorId, 1 AS stored, SampleWeight * EventCount AS weighted
            FROM activity_events
            WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < bound
                AND (Timestamp < first_day OR Timestamp >= end_day)
                AND ({tenant:String} = '' OR TenantId = {tenant:String})
                AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
                AND ActorId != ''
            UNION ALL
            SELECT toDate(earliest) AS day, '' AS TenantId, '' AS ActorType, '' AS ActorId, 1 AS stored, 0 AS weighted
            WHERE whole.3 > 0
        )
        GROUP BY day, TenantId, ActorType, ActorId
        HAVING sum(stored) > 0
    )
    GROUP BY day
    ORDER BY day DESC WITH FILL STEP INTERVAL -1 DAY
    LIMIT {limit:UInt64}
)
ORDER BY day
