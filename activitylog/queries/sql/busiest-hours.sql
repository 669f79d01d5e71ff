-- title: Busiest hours of the day
-- answers: At which hours (UTC) does most happen, and by how many actors?
-- group: when
-- kind: series
-- x: hour_of_day
-- y: events
-- costs: reads times, actors and counts of all rows of the range (about 32 bytes a row); memory for every actor in it
-- example: activitylog query busiest-hours --days 28 --plot
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 24 : at most this many hours, from midnight on
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    toHour(Timestamp) AS hour_of_day,
    count() AS rows,
    sum(SampleWeight * EventCount) AS events,
    uniqExactIf((TenantId, ActorType, ActorId), ActorId != '') AS actors
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY hour_of_day
ORDER BY hour_of_day WITH FILL FROM 0 TO 24
LIMIT {limit:UInt64}
