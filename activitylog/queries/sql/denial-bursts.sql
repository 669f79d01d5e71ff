-- title: Bursts of denials
-- answers: Who was denied, or failed, unusually often within a few minutes? The actor, else the address it came from.
-- group: trouble
-- kind: ranking
-- x: who
-- y: denials
-- costs: reads outcomes of all rows of the range (about 55 bytes a row), the other columns where they are not a success
-- example: activitylog query denial-bursts --minutes 5 --at-least 20
-- param minutes UInt32 = 10 : length of the times that are looked at, one after the other
-- param at_least UInt32 = 5 : denials in one of them
-- param outcome String = denied : which outcome; failure finds those who fail often
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many bursts
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    toDateTime64(toStartOfInterval(toDateTime(Timestamp, 'UTC'), toIntervalMinute(greatest({minutes:UInt32}, 1))), 0, 'UTC') AS began,
    TenantId AS tenant,
    if(ActorId != '', ActorType, 'address') AS who_type,
    if(ActorId != '', ActorId, ClientAddress) AS who,
    sum(SampleWeight * EventCount) AS denials,
    count() AS rows,
    topK(1)(EventName)[1] AS common_event,
    uniqExact(ObjectType, ObjectId) AS objects,
    uniqExactIf(ClientAddress, ClientAddress != '') AS addresses,
    min(Timestamp) AS first,
    max(Timestamp) AS last
FROM activity_events
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
    AND Outcome = {outcome:String}
    AND (ActorId != '' OR ClientAddress != '')
GROUP BY began, tenant, who_type, who
HAVING denials >= {at_least:UInt32}
ORDER BY denials DESC, began DESC, tenant, who_type, who
LIMIT {limit:UInt64}
