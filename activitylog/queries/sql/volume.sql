-- title: Volume by day
-- answers: How many rows are stored for each of the newest days? events counts what was sampled out and rolled up, too.
-- kind: series
-- x: day
-- y: rows
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 90 : this many days up to the newest event
SELECT day, rows, events
FROM
(
    SELECT toDate(Timestamp) AS day, count() AS rows, sum(SampleWeight * EventCount) AS events
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    GROUP BY day
    ORDER BY day DESC WITH FILL STEP INTERVAL -1 DAY
    LIMIT {limit:UInt64}
)
ORDER BY day
