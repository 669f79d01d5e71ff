-- title: Volume by day
-- answers: How many rows are stored for each of the newest days? events counts what was sampled out and rolled up, too.
-- group: storage
-- kind: series
-- x: day
-- y: rows
-- costs: the days that are shown from the hourly roll-up, the ends of the range from the rows
-- example: activitylog query volume --plot
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 90 : this many days up to the newest event
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    (
        SELECT (toDateTime64(toDate(min(Hour)), 0, 'UTC'), toDateTime64(toDate(max(Hour)), 0, 'UTC'), count())
        FROM activity_events_hourly
        WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= bound - toIntervalHour(1)
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
    ) AS whole,
    -- the first day that is shown, as far as the whole hours go
    greatest(assumeNotNull(whole.1), assumeNotNull(whole.2) - toIntervalDay(least({limit:UInt64}, 400000))) AS earliest
SELECT day, rows, events
FROM
(
    SELECT toDate(hour) AS day, toUInt64(sum(stored)) AS rows, sum(weighted) AS events
    FROM
    (
        SELECT Hour AS hour, RowCount AS stored, Weighted AS weighted
        FROM activity_events_hourly
        WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= bound - toIntervalHour(1)
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND Hour >= earliest
        UNION ALL
        SELECT toStartOfHour(Timestamp) AS hour, 1 AS stored, SampleWeight * EventCount AS weighted
        FROM activity_events
        WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < bound
            AND (toStartOfHour(Timestamp) < {since:DateTime64(9, 'UTC')} OR toStartOfHour(Timestamp) > bound - toIntervalHour(1))
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        UNION ALL
        SELECT toDateTime(earliest, 'UTC') AS hour, 0 AS stored, 0 AS weighted WHERE whole.3 > 0
    )
    GROUP BY day
    HAVING rows > 0 OR day = earliest
    ORDER BY day DESC WITH FILL STEP INTERVAL -1 DAY
    LIMIT {limit:UInt64}
)
ORDER BY day
