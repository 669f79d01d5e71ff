-- title: Outcomes
-- answers: How did events end? events counts what was sampled out and rolled up, too.
-- group: trouble
-- kind: ranking
-- x: outcome
-- y: events
-- costs: whole hours from the hourly roll-up, the ends of the range from the rows
-- example: activitylog query outcomes --event order.paid
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 10 : at most this many outcomes
SELECT
    outcome,
    toUInt64(sum(stored)) AS rows,
    sum(weighted) AS events,
    ifNotFinite(round(100 * events / sum(events) OVER (), 2), 0) AS percent
FROM
(
    SELECT Outcome AS outcome, RowCount AS stored, Weighted AS weighted
    FROM activity_events_hourly
    WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= {until:DateTime64(9, 'UTC')} - toIntervalHour(1)
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({event:String} = '' OR EventName = {event:String})
    UNION ALL
    SELECT Outcome AS outcome, 1 AS stored, SampleWeight * EventCount AS weighted
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND (toStartOfHour(Timestamp) < {since:DateTime64(9, 'UTC')} OR toStartOfHour(Timestamp) > {until:DateTime64(9, 'UTC')} - toIntervalHour(1))
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({event:String} = '' OR EventName = {event:String})
)
GROUP BY outcome
HAVING rows > 0
ORDER BY events DESC, outcome
LIMIT {limit:UInt64}
