-- title: Busiest hours of the day
-- answers: At which hours (UTC) does most happen, and by how many actors?
-- kind: series
-- x: hour_of_day
-- y: events
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 24 : at most this many hours, from midnight on
SELECT
    toHour(Timestamp) AS hour_of_day,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    uniqExactIf((TenantId, ActorType, ActorId), ActorId != '') AS actors
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY hour_of_day
ORDER BY hour_of_day WITH FILL FROM 0 TO 24
LIMIT {limit:UInt64}
