-- title: Outcomes
-- answers: How did events end? events counts what was sampled out and rolled up, too.
-- kind: ranking
-- x: outcome
-- y: events
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 10 : at most this many outcomes
SELECT
    Outcome AS outcome,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    round(100 * events / sum(events) OVER (), 2) AS percent
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({event:String} = '' OR EventName = {event:String})
GROUP BY outcome
ORDER BY events DESC, outcome
LIMIT {limit:UInt64}
