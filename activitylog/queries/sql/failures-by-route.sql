-- title: Failures by route
-- answers: Where do requests and events fail, or are denied? The route where there is one, else the event's name.
-- kind: ranking
-- x: route
-- y: failures
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many routes
SELECT
    if(HttpRoute != '', trimLeft(concat(HttpMethod, ' ', HttpRoute)), EventName) AS route,
    sumIf(SampleWeight * EventCount, Outcome = 'failure') AS failures,
    sumIf(SampleWeight * EventCount, Outcome = 'denied') AS denials,
    sum(SampleWeight * EventCount) AS events,
    round(100 * (failures + denials) / events, 2) AS percent,
    count() AS rows,
    topKIf(1)(ErrorType, ErrorType != '')[1] AS common_error
FROM activity_events
WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY route
ORDER BY failures + denials DESC, events DESC, route
LIMIT {limit:UInt64}
