-- title: Events that are stored twice
-- answers: Which event ids are there more than once, and how many rows are too many?
-- group: quality
-- kind: table
-- costs: reads event ids of all rows of the range (about 24 bytes a row); memory for every id in it
-- example: activitylog query duplicates --since 2026-05-01 --until 2026-05-02
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 1 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many ids
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    ids.EventId AS event_id,
    copies,
    min(Timestamp) AS first,
    max(Timestamp) AS last,
    any(EventName) AS event,
    any(Producer) AS producer,
    any(Seq) AS seq
FROM activity_events AS events
INNER JOIN
(
    SELECT EventId, count() AS copies
    FROM activity_events
    WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND EventId != toUUID('00000000-0000-0000-0000-000000000000')
    GROUP BY EventId
    HAVING copies > 1
    ORDER BY copies DESC, EventId
    LIMIT {limit:UInt64}
) AS ids ON events.EventId = ids.EventId
WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
    AND ({tenant:String} = '' OR TenantId = {tenant:String})
GROUP BY event_id, copies
ORDER BY copies DESC, event_id
LIMIT {limit:UInt64}
