-- title: Failures and denials
-- answers: What fails or is denied, with which error, how often, for how many actors, since when, and lately?
-- group: trouble
-- kind: ranking
-- x: event
-- y: events
-- costs: reads outcomes of all rows of the range (about 65 bytes a row), the other columns where they are not a success
-- example: activitylog query failures --days 1 --outcome denied
-- param outcome String = : only this outcome, such as failure or denied; empty: all but success
-- param event String = : only events of this name; empty: all
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many kinds of failure
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    EventName AS event,
    trimLeft(concat(HttpMethod, ' ', HttpRoute)) AS route,
    Outcome AS outcome,
    ErrorType AS error,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    uniqExactIf((TenantId, ActorType, ActorId), ActorId != '') AS actors,
    min(Timestamp) AS first,
    max(Timestamp) AS last,
    argMax(Body, (Timestamp, Seq)) AS last_message
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND ({event:String} = '' OR EventName = {event:String})
    AND Outcome != 'success'
    AND ({outcome:String} = '' OR Outcome = {outcome:String})
GROUP BY event, route, outcome, error
ORDER BY events DESC, event, route, outcome, error
LIMIT {limit:UInt64}
