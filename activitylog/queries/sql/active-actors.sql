-- title: Daily, weekly and monthly active actors
-- answers: How many actors were active on each day, in the 7 days and in the 30 days up to it, and how sticky is that:
--   what part of a month's actors comes on a day?
-- group: who
-- kind: series
-- x: day
-- y: daily
-- costs: reads the daily roll-up by actor for the days that are shown and the 29 before; each day's set is merged 30 times
-- example: activitylog query active-actors --limit 60 --plot
-- param actor_type String = : kind of actor, such as user; empty: any
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 30 : this many days up to the newest event; days are whole
WITH
    (
        SELECT (min(Day), max(Day), count())
        FROM activity_events_actor_daily
        WHERE Day <= toDate32({until:DateTime64(9, 'UTC')} - toIntervalNanosecond(1))
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
    ) AS ends,
    greatest(toInt32(ends.1), toInt32(ends.2) + 1 - toInt32(least({limit:UInt64}, 30000))) AS first
SELECT
    toDate(number) AS day,
    uniqExactMerge(present) OVER (ORDER BY number RANGE BETWEEN CURRENT ROW AND CURRENT ROW) AS daily,
    uniqExactMerge(present) OVER (ORDER BY number RANGE BETWEEN 6 PRECEDING AND CURRENT ROW) AS weekly,
    uniqExactMerge(present) OVER (ORDER BY number RANGE BETWEEN 29 PRECEDING AND CURRENT ROW) AS monthly,
    ifNotFinite(round(100 * daily / monthly, 2), 0) AS stickiness_percent
FROM
(
    SELECT number, uniqExactStateIf((TenantId, ActorType, ActorId), ActorId != '') AS present
    FROM
    (
        SELECT toInt32(Day) AS number, TenantId, ActorType, ActorId
        FROM activity_events_actor_daily
        WHERE Day <= toDate32({until:DateTime64(9, 'UTC')} - toIntervalNanosecond(1)) AND toInt32(Day) > first - 30
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
        GROUP BY Day, TenantId, ActorType, ActorId
        HAVING sum(RowCount) > 0
        UNION ALL
        -- every day of the range, so that none is missing
        SELECT toInt32(arrayJoin(range(toInt32(greatest(first - 29, 0)), toInt32(ends.2) + 1))) AS number, '', '', ''
        WHERE ends.3 > 0
    )
    GROUP BY number
)
QUALIFY number >= first
ORDER BY day
LIMIT {limit:UInt64}
