-- title: Failures by hour
-- answers: How many events failed or were denied in each of the newest hours, and what part of all is that?
-- group: trouble
-- kind: series
-- x: hour
-- y: failures
-- costs: the hours that are shown from the hourly roll-up, the ends of the range from the rows
-- example: activitylog query failures-by-hour --limit 168 --plot
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 72 : this many hours up to the newest event
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    (
        SELECT (toDateTime64(min(Hour), 0, 'UTC'), toDateTime64(max(Hour), 0, 'UTC'), count())
        FROM activity_events_hourly
        WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= bound - toIntervalHour(1)
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({event:String} = '' OR EventName = {event:String})
    ) AS whole,
    -- the first hour that is shown, as far as the whole hours go
    greatest(assumeNotNull(whole.1), assumeNotNull(whole.2) - toIntervalHour(least({limit:UInt64}, 10000000))) AS earliest
SELECT hour, failures, denials, events, ifNotFinite(round(100 * (failures + denials) / events, 2), 0) AS percent
FROM
(
    SELECT
        toDateTime64(hour, 0, 'UTC') AS hour,
        sumIf(weighted, outcome = 'failure') AS failures,
        sumIf(weighted, outcome = 'denied') AS denials,
        sum(weighted) AS events
    FROM
    (
        SELECT Hour AS hour, Outcome AS outcome, RowCount AS stored, Weighted AS weighted
        FROM activity_events_hourly
        WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= bound - toIntervalHour(1)
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({event:String} = '' OR EventName = {event:String})
            AND Hour >= earliest
        UNION ALL
        SELECT toStartOfHour(Timestamp) AS hour, Outcome AS outcome, 1 AS stored, SampleWeight * EventCount AS weighted
        FROM activity_events
        WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < bound
            AND (toStartOfHour(Timestamp) < {since:DateTime64(9, 'UTC')} OR toStartOfHour(Timestamp) > bound - toIntervalHour(1))
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({event:String} = '' OR EventName = {event:String})
        UNION ALL
        SELECT toDateTime(earliest, 'UTC') AS hour, '' AS outcome, 0 AS stored, 0 AS weighted WHERE whole.3 > 0
    )
    GROUP BY hour
    HAVING sum(stored) > 0 OR hour = earliest
    ORDER BY hour DESC WITH FILL STEP INTERVAL -1 HOUR
    LIMIT {limit:UInt64}
)
ORDER BY hour
