-- title: Daily, weekly and monthly active actors
-- answers: How many actors were active on each day, in the 7 days and in the 30 days up to it, and how sticky is that:
--   what part of a month's actors comes on a day?
-- group: who
-- kind: series
-- x: day
-- y: daily
-- costs: reads the daily roll-up by actor for the days that are shown and the 29 before; memory for every actor of them
-- example: activitylog query active-actors --limit 60 --plot
-- param actor_type String = : kind of actor, such as user; empty: any
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 30 : this many days up to the newest event; days are whole
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    (
        SELECT (toInt32(min(Day)), toInt32(max(Day)), count())
        FROM activity_events_actor_daily
        WHERE Day <= toDate32(bound - toIntervalNanosecond(1))
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
    ) AS ends,
    assumeNotNull(ends.2) AS newest,
    greatest(assumeNotNull(ends.1), newest + 1 - toInt32(least({limit:UInt64}, 30000))) AS first
SELECT
    toDate(number) AS day,
    came AS daily,
    toUInt64(sum(came - gone_7) OVER (ORDER BY number)) AS weekly,
    toUInt64(sum(came - gone_30) OVER (ORDER BY number)) AS monthly,
    ifNotFinite(round(100 * daily / monthly, 2), 0) AS stickiness_percent
FROM
(
    SELECT number, countIf(kind = 'came') AS came, countIf(kind = '7') AS gone_7, countIf(kind = '30') AS gone_30
    FROM
    (
        -- An actor counts from each day on which it was there, until the next such day or the end of the week or month.
        SELECT line.1 AS number, line.2 AS kind
        FROM
        (
            SELECT
                arraySort(groupUniqArray(number)) AS days,
                arrayPushBack(arrayPopFront(days), toInt32(2147483647)) AS nexts
            FROM
            (
                SELECT toInt32(Day) AS number, TenantId, ActorType, ActorId
                FROM activity_events_actor_daily
                WHERE Day <= toDate32(bound - toIntervalNanosecond(1)) AND toInt32(Day) > first - 30
                    AND ({tenant:String} = '' OR TenantId = {tenant:String})
                    AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
                GROUP BY Day, TenantId, ActorType, ActorId
                HAVING sum(RowCount) > 0
            )
            GROUP BY TenantId, ActorType, ActorId
        )
        ARRAY JOIN arrayFlatten(arrayMap(
            (day, next) -> [(day, 'came'), (least(next, day + 7), '7'), (least(next, day + 30), '30')], days, nexts)) AS line
        UNION ALL
        -- every day, so that none is missing
        SELECT arrayJoin(range(greatest(first, 0), newest + 1)) AS number, '' AS kind WHERE ends.3 > 0
    )
    GROUP BY number
)
QUALIFY number >= first AND number <= newest
ORDER BY day
LIMIT {limit:UInt64}
