-- title: New and returning actors by day
-- answers: How many actors came for the first time on each day, and how many had been there before?
-- group: who
-- kind: series
-- x: day
-- y: new
-- costs: reads the daily roll-up by actor whole, since a first time may be long ago; memory for every actor
-- example: activitylog query new-and-returning --actor-type user --plot
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 90 : this many days up to the newest event; days are whole
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound
SELECT day, new, returning, actors
FROM
(
    SELECT day, countIf(day = first) AS new, countIf(day > first) AS returning, count() AS actors
    FROM
    (
        SELECT groupUniqArray(Day) AS days, arrayMin(days) AS first
        FROM
        (
            SELECT Day, TenantId, ActorType, ActorId
            FROM activity_events_actor_daily
            WHERE Day <= toDate32(bound - toIntervalNanosecond(1))
                AND ({tenant:String} = '' OR TenantId = {tenant:String})
                AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
            GROUP BY Day, TenantId, ActorType, ActorId
            HAVING sum(RowCount) > 0
        )
        GROUP BY TenantId, ActorType, ActorId
    )
    ARRAY JOIN days AS day
    WHERE day >= toDate32({since:DateTime64(9, 'UTC')})
    GROUP BY day
    ORDER BY day DESC WITH FILL STEP INTERVAL -1 DAY
    LIMIT {limit:UInt64}
)
ORDER BY day
