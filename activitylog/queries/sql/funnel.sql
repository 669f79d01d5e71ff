-- title: Funnel
-- answers: How many actors did the first, then the second, then the third event, within the time allowed?
-- kind: ranking
-- x: event
-- y: actors
-- param first String = : name of the first event; empty: of the three that most actors did, the one that came first
-- param second String = : name of the second event; empty: the next one of those
-- param third String = : name of the third event; empty: the next one of those
-- param hours UInt32 = 24 : from the first to the last event at most this long
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
WITH
    (
        SELECT arrayMap(pair -> pair.2, arraySort(groupArray((came, name))))
        FROM
        (
            SELECT EventName AS name, min(Timestamp) AS came
            FROM activity_events
            WHERE ({first:String} = '' OR {second:String} = '' OR {third:String} = '')
                AND EventName NOT IN ('', {first:String}, {second:String}, {third:String}) AND ActorId != ''
                AND Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
                AND ({tenant:String} = '' OR TenantId = {tenant:String})
            GROUP BY name
            ORDER BY uniqExact(TenantId, ActorType, ActorId) DESC, name
            LIMIT 3
        )
    ) AS common,
    if({first:String} != '', {first:String}, common[1]) AS name_1,
    if({second:String} != '', {second:String}, common[1 + ({first:String} = '')]) AS name_2,
    if({third:String} != '', {third:String}, common[1 + ({first:String} = '') + ({second:String} = '')]) AS name_3
SELECT
    step,
    [name_1, name_2, name_3][step] AS event,
    countIf(reached >= step) AS actors,
    round(100 * actors / greatest(max(actors) OVER (), 1), 2) AS percent
FROM
(
    SELECT
        arrayJoin([1, 2, 3]) AS step,
        reached
    FROM
    (
        SELECT
            windowFunnel({hours:UInt32} * 3600000)(
                toUInt64(greatest(toUnixTimestamp64Milli(Timestamp), 0)),
                EventName = name_1, EventName = name_2, EventName = name_3) AS reached
        FROM activity_events
        WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND EventName != '' AND EventName IN (name_1, name_2, name_3) AND ActorId != ''
        GROUP BY TenantId, ActorType, ActorId
    )
)
GROUP BY step
ORDER BY step
