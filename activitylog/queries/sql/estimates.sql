-- title: Totals with their error
-- answers: How many events were there before sampling, how sure is that, and what do the exact counters say? low to
--   high holds the true number 95 times of 100, where trust is yes; trust is exact where nothing was sampled out, and
--   no where fewer than 30 sampled rows (in effect) carry the estimate, or weights are below 1.
-- group: sampling
-- kind: ranking
-- x: event
-- y: events
-- costs: reads names, weights and counts of all rows of the range (about 25 bytes a row; with a unit its ids, too), and
--   the counters of it
-- example: activitylog query estimates --unit session --days 1
-- param unit Enum8('event'=1,'session'=2,'actor'=3,'trace'=4) = event : what sampling kept or dropped as a whole: event, session, actor or trace
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many names
WITH
    {unit:Enum8('event'=1,'session'=2,'actor'=3,'trace'=4)} AS unit,
    -- whole hours, since counters are by the minute
    toDateTime64(toStartOfHour(greatest(if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))), toDateTime64(0, 9, 'UTC'))), 9, 'UTC') AS start
SELECT
    sampled.event AS event,
    rows,
    events,
    round(deviation, 2) AS standard_error,
    least(greatest(round(events - 1.96 * deviation, 2), counted), events) AS low,
    round(events + 1.96 * deviation, 2) AS high,
    round(draws, 1) AS effective_rows,
    multiIf(wrong > 0 OR NOT isFinite(events), 'no', variance = 0, 'exact', draws < 30, 'no', 'yes') AS trust,
    if(counters.records = 0, NULL, counters.exact) AS exact,
    if(exact > 0, round(events / exact, 4), NULL) AS ratio
FROM
(
    SELECT
        event,
        sum(stored) AS rows,
        sum(weight * amount) AS events,
        toFloat64(sum(amount)) AS counted,
        sum(greatest(weight * (weight - 1), 0) * pow(amount, 2)) AS variance,
        sqrt(variance) AS deviation,
        -- as many equal rows would carry the sampled part of the sum as surely (Kish)
        ifNotFinite(pow(sumIf(weight * amount, weight > 1), 2) / sumIf(pow(weight * amount, 2), weight > 1), 0) AS draws,
        countIf(weight < 1) AS wrong
    FROM
    (
        SELECT EventName AS event, 1 AS stored, SampleWeight AS weight, EventCount AS amount
        FROM activity_events
        WHERE unit = 'event' AND Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        UNION ALL
        -- a unit of one weight was drawn once: its rows are one draw
        SELECT EventName AS event, count() AS stored, SampleWeight AS weight, sum(EventCount) AS amount
        FROM activity_events
        WHERE unit != 'event' AND Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        GROUP BY EventName, SampleWeight, TenantId,
            multiIf(unit = 'session', SessionId, unit = 'trace', TraceId, concat(ActorType, ':', ActorId)),
            if(multiIf(unit = 'session', SessionId, unit = 'trace', TraceId, ActorId) = '', generateUUIDv4(), toUUIDOrZero(''))
    )
    GROUP BY event
) AS sampled
LEFT JOIN
(
    SELECT EventName AS event, sum(EventCount) AS exact, count() AS records
    FROM activity_counters
    WHERE Minute >= start AND Minute < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    GROUP BY event
) AS counters ON sampled.event = counters.event
ORDER BY events DESC, event
LIMIT {limit:UInt64}
