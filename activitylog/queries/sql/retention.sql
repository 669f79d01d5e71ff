-- title: Retention
-- answers: Of the actors who came for the first time in a week (or day), how many came back in the weeks after?
-- group: who
-- kind: heatmap
-- x: period
-- y: cohort
-- z: percent
-- costs: reads the daily roll-up by actor whole, since a first time may be long ago; memory for every actor
-- example: activitylog query retention --period-days 1 --periods 14 --plot
-- param period_days UInt32 = 7 : length of a period; 7: weeks that begin on Monday, 1: days
-- param periods UInt32 = 8 : this many periods up to the newest, and as many cohorts
-- param actor_type String = : kind of actor, such as user; empty: any
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 1000 : at most this many lines
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    greatest({period_days:UInt32}, 1) AS length,
    least({periods:UInt32}, 1000) AS shown,
    -- 1970-01-05 was a Monday: period 0 begins there
    toInt32(toDate('1970-01-05')) AS monday
SELECT
    toDate32(monday + first * length) AS cohort,
    toUInt32(place - 1) AS period,
    actors,
    size,
    round(100 * actors / size, 2) AS percent
FROM
(
    SELECT first, newest, sumForEach(arrayMap(n -> toUInt64(has(active, n)), range(shown))) AS counts, counts[1] AS size
    FROM
    (
        SELECT first, arrayMap(n -> n - first, came) AS active, max(last) OVER () AS newest
        FROM
        (
            SELECT
                groupUniqArray(toInt32(floor((toInt32(Day) - monday) / length))) AS came,
                arrayMin(came) AS first,
                arrayMax(came) AS last
            FROM
            (
                SELECT Day, TenantId, ActorType, ActorId
                FROM activity_events_actor_daily
                WHERE Day < toDate32(bound)
                    AND ({tenant:String} = '' OR TenantId = {tenant:String})
                    AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
                GROUP BY Day, TenantId, ActorType, ActorId
                HAVING sum(RowCount) > 0
            )
            GROUP BY TenantId, ActorType, ActorId
        )
    )
    WHERE first > newest - shown
    GROUP BY first, newest
)
ARRAY JOIN counts AS actors, arrayEnumerate(counts) AS place
WHERE first + place - 1 <= newest
ORDER BY cohort, period
LIMIT {limit:UInt64}
