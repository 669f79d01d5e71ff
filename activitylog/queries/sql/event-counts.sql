-- title: Events by name
-- answers: Which events are there, and how often? events counts what was sampled out and rolled up, too.
-- kind: ranking
-- x: event
-- y: events
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many names
SELECT
    EventName AS event,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    min(Timestamp) AS first,
    max(Timestamp) AS last
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY event
ORDER BY events DESC, event
LIMIT {limit:UInt64}
