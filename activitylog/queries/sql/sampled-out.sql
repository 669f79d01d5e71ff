-- title: What was not kept
-- answers: Which events were not kept, by which rule and for what reason, and how many were kept? From the exact
--   counters; reason is empty for what was kept.
-- group: sampling
-- kind: ranking
-- x: event
-- y: events
-- costs: reads the counters of the range: a row per process, minute and kind of event; memory for each (about 200 bytes)
-- example: activitylog query sampled-out --days 1
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many lines
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, toDateTime64((SELECT max(Minute) FROM activity_counters), 9, 'UTC'), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    event,
    rule,
    reason,
    sum(amount) AS events,
    ifNotFinite(round(100 * events / sum(events) OVER (PARTITION BY event), 2), 0) AS percent,
    toDateTime64(min(earliest), 0, 'UTC') AS first,
    toDateTime64(max(latest), 0, 'UTC') AS last
FROM
(
    -- a Collector may deliver a counter twice: the same producer and number. Without a number all of them count
    SELECT
        EventName AS event,
        Rule AS rule,
        Reason AS reason,
        if(Seq = 0 OR Producer = '', sum(EventCount), any(EventCount)) AS amount,
        min(Minute) AS earliest,
        max(Minute) AS latest
    FROM activity_counters
    WHERE Minute >= start AND Minute < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    GROUP BY EventName, Rule, Reason, Producer, Seq
)
GROUP BY event, rule, reason
ORDER BY events DESC, event, rule, reason
LIMIT {limit:UInt64}
