-- title: Hours of the week
-- answers: On which weekdays and at which hours (UTC) does most happen?
-- group: when
-- kind: heatmap
-- x: hour
-- y: weekday
-- z: events
-- costs: reads the hourly roll-up of the range
-- example: activitylog query hour-of-week --weeks 8 --plot
-- param event String = : only events of this name; empty: all
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param weeks UInt32 = 4 : this many whole weeks up to the hour of the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 168 : at most this many hours, from Monday 0:00 on
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    toDateTime64(assumeNotNull((SELECT max(Hour) FROM activity_events_hourly WHERE Hour < bound)), 0, 'UTC') AS newest,
    -- of the weeks that are asked for, those that the store goes back
    assumeNotNull((SELECT toUnixTimestamp(min(Hour)) FROM activity_events_hourly)) AS oldest,
    least(greatest({weeks:UInt32}, 1), greatest(ceil((toUnixTimestamp(newest) + 3600 - oldest) / 604800), 1)) AS covered
SELECT
    weekday,
    hour,
    toUInt64(sum(stored)) AS rows,
    sum(weighted) AS events,
    round(events / covered, 2) AS events_a_week
FROM
(
    SELECT toDayOfWeek(Hour) AS weekday, toHour(Hour) AS hour, RowCount AS stored, Weighted AS weighted
    FROM activity_events_hourly
    WHERE Hour <= newest AND Hour > newest - toIntervalWeek(least(greatest({weeks:UInt32}, 1), 5000))
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({event:String} = '' OR EventName = {event:String})
    UNION ALL
    SELECT toUInt8(1 + intDiv(number, 24)), toUInt8(number % 24), 0, 0 FROM numbers(168)
)
GROUP BY weekday, hour
ORDER BY weekday, hour
LIMIT {limit:UInt64}
