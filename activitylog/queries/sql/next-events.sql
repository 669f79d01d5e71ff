-- title: What comes next
-- answers: After an event, which event does the same actor most often do next, and how long after? Rows are counted,
--   not what was sampled out: nobody knows what came between.
-- group: what
-- kind: ranking
-- x: next
-- y: pairs
-- costs: reads times, actors and names of all rows of the range (about 25 bytes a row), and holds them in memory
-- example: activitylog query next-events --event order.placed
-- param event String = : only what comes after this event; empty: all
-- param minutes UInt32 = 60 : a longer pause breaks the chain
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 1 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many pairs
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    pair.1 AS event,
    pair.2 AS next,
    count() AS pairs,
    ifNotFinite(round(100 * pairs / sum(pairs) OVER (PARTITION BY event), 2), 0) AS percent,
    round(quantileExactInclusive(0.5)(pair.3) / 1e9, 3) AS median_seconds
FROM
(
    SELECT arraySort(groupArray((toUnixTimestamp64Nano(Timestamp), Seq, toString(EventName)))) AS steps
    FROM activity_events
    WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ActorId != ''
    GROUP BY TenantId, ActorType, ActorId
)
ARRAY JOIN arrayMap(
    n -> (steps[n].3, steps[n + 1].3, steps[n + 1].1 - steps[n].1), range(1, length(steps))) AS pair
WHERE pair.3 <= {minutes:UInt32} * 60000000000
    AND ({event:String} = '' OR pair.1 = {event:String})
GROUP BY event, next
ORDER BY pairs DESC, event, next
LIMIT {limit:UInt64}
