-- title: Funnel
-- answers: How many actors did the first, then the second, then the third event (up to five), within the time allowed?
-- group: who
-- kind: ranking
-- x: event
-- y: actors
-- costs: reads times and actors of the rows with these events in the range; memory for every such actor
-- example: activitylog query funnel --first cart.filled --second order.placed --third order.paid --hours 48
-- param first String = : name of the first event; empty: of the three that most actors did, the one that came first
-- param second String = : name of the second event; empty: the next one of those
-- param third String = : name of the third event; empty: the next one of those
-- param fourth String = : name of the fourth event; empty: there is none
-- param fifth String = : name of the fifth event; empty: there is none
-- param hours UInt32 = 24 : from the first to the last event at most this long
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start,
    (
        SELECT arrayMap(pair -> pair.2, arraySort(groupArray((came, name))))
        FROM
        (
            SELECT EventName AS name, min(Timestamp) AS came
            FROM activity_events
            WHERE ({first:String} = '' OR {second:String} = '' OR {third:String} = '')
                AND EventName NOT IN ('', {first:String}, {second:String}, {third:String}, {fourth:String}, {fifth:String})
                AND ActorId != ''
                AND Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
                AND ({tenant:String} = '' OR TenantId = {tenant:String})
            GROUP BY name
            ORDER BY uniqExact(TenantId, ActorType, ActorId) DESC, name
            LIMIT 3
        )
    ) AS common,
    arrayConcat(
        [if({first:String} != '', {first:String}, common[1]),
        if({second:String} != '', {second:String}, common[1 + ({first:String} = '')]),
        if({third:String} != '', {third:String}, common[1 + ({first:String} = '') + ({second:String} = '')])],
        arrayFilter(name -> name != '', [{fourth:String}, {fifth:String}])) AS names
SELECT
    step,
    names[step] AS event,
    countIf(reached >= step) AS actors,
    round(100 * actors / greatest(max(actors) OVER (), 1), 2) AS percent
FROM
(
    SELECT
        arrayJoin(range(1, toUInt8(length(names) + 1))) AS step,
        reached
    FROM
    (
        SELECT
            windowFunnel({hours:UInt32} * 3600000)(
                toUInt64(greatest(toUnixTimestamp64Milli(Timestamp), 0)),
                EventName = names[1], EventName = names[2], EventName = names[3],
                EventName = names[4], EventName = names[5]) AS reached
        FROM activity_events
        WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND EventName != '' AND EventName IN (names[1], names[2], names[3], names[4], names[5]) AND ActorId != ''
        GROUP BY TenantId, ActorType, ActorId
    )
)
GROUP BY step
ORDER BY step
