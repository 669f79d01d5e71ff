-- title: Failures by route
-- answers: Where do requests and events fail, or are denied? The route where there is one, else the event's name.
-- group: trouble
-- kind: ranking
-- x: route
-- y: failures
-- costs: reads names, routes, outcomes and counts of all rows of the range (about 29 bytes a row)
-- example: activitylog query failures-by-route --days 1
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many routes
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    if(HttpRoute != '', trimLeft(concat(HttpMethod, ' ', HttpRoute)), EventName) AS route,
    sumIf(SampleWeight * EventCount, Outcome = 'failure') AS failures,
    sumIf(SampleWeight * EventCount, Outcome = 'denied') AS denials,
    sum(SampleWeight * EventCount) AS events,
    ifNotFinite(round(100 * (failures + denials) / events, 2), 0) AS percent,
    count() AS rows,
    topKIf(1)(ErrorType, ErrorType != '')[1] AS common_error
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY route
ORDER BY failures + denials DESC, events DESC, route
LIMIT {limit:UInt64}
