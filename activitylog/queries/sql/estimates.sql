-- title: Totals with their error
-- answers: How many events were there before sampling, how sure is that, and what do the exact counters say? low to
--   high holds the true number 95 times of 100, where trust is yes; trust is exact where nothing was sampled out, and
--   no where fewer than 30 draws (in effect) carry the estimate, one of them has more than 5 percent of it, rows lack
--   what they were kept by, weights are below 1, or the counters know of many more. A draw is a row, or all rows that
--   were kept as a whole.
-- group: sampling
-- kind: ranking
-- x: event
-- y: events
-- costs: reads names, weights and counts of all rows of the range (about 25 bytes a row), of rows that were kept as whole
--   units their ids and attributes, too, and the counters of the range
-- example: activitylog query estimates --days 1
-- param unit Enum8('auto'=0,'event'=1,'session'=2,'actor'=3,'trace'=4) = auto : what sampling kept or dropped as a whole: auto (what each row says), event, session, actor or trace
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 7 : without since: this many days up to the newest event
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many names
WITH
    {unit:Enum8('auto'=0,'event'=1,'session'=2,'actor'=3,'trace'=4)} AS unit,
    -- whole hours, since counters are by the minute
    toDateTime64(toStartOfHour(greatest(if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))), toDateTime64(0, 9, 'UTC'))), 9, 'UTC') AS start
SELECT
    if(rows = 0, counters.event, sampled.event) AS event,
    rows,
    events,
    round(deviation, 2) AS standard_error,
    least(greatest(round(events - 1.96 * deviation, 2), counted), events) AS low,
    round(events + 1.96 * deviation, 2) AS high,
    round(draws, 1) AS effective_rows,
    round(100 * share, 2) AS largest_percent,
    multiIf(
        wrong > 0 OR NOT isFinite(events) OR rows = 0, 'no',
        -- rows know nothing of units that were not drawn: of a giant among them, or of all but the failures
        counters.meant > events + 4 * deviation, 'no',
        deviation = 0, 'exact',
        lost > 0 OR draws < 30 OR share > 0.05, 'no',
        'yes') AS trust,
    if(counters.records = 0, NULL, counters.exact) AS exact,
    if(exact > 0, round(events / exact, 4), NULL) AS ratio
FROM
(
    SELECT
        event,
        sum(stored) AS rows,
        sum(total) AS events,
        toFloat64(sum(amount)) AS counted,
        sqrt(sum(pow(spread, 2))) AS deviation,
        -- as many equal draws would carry the sampled part of the sum as surely (Kish)
        ifNotFinite(pow(sum(part), 2) / sum(pow(part, 2)), 0) AS draws,
        ifNotFinite(max(part) / sum(part), 0) AS share,
        sum(bad) AS wrong,
        countIf(unknown) AS lost
    FROM
    (
        SELECT
            EventName AS event,
            1 AS stored,
            EventCount AS amount,
            SampleWeight * EventCount AS total,
            sqrt(greatest(SampleWeight * (SampleWeight - 1), 0)) * EventCount AS spread,
            if(SampleWeight > 1, SampleWeight * EventCount, 0) AS part,
            toUInt64(NOT SampleWeight >= 1) AS bad,
            false AS unknown
        FROM activity_events
        WHERE unit IN ('auto', 'event') AND (unit = 'event' OR SampleBy = '')
            AND Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        UNION ALL
        -- a unit was drawn once: its rows are one draw. Those of several weights go together, so their errors add up
        SELECT
            EventName AS event,
            count() AS stored,
            sum(EventCount) AS amount,
            sum(SampleWeight * EventCount) AS total,
            sum(sqrt(greatest(SampleWeight * (SampleWeight - 1), 0)) * EventCount) AS spread,
            sumIf(SampleWeight * EventCount, SampleWeight > 1) AS part,
            countIf(NOT SampleWeight >= 1) AS bad,
            unit = 'auto' AND id = '' AND part > 0 AS unknown
        FROM activity_events
        WHERE unit != 'event' AND (unit != 'auto' OR SampleBy != '')
            AND Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        GROUP BY
            EventName,
            if(unit = 'auto', CAST(SampleBy, 'String'), CAST(unit, 'String')) AS what,
            multiIf(
                what IN ('session', 'session.id'), SessionId,
                what = 'actor', if(ActorId = '', '', concat(ActorType, ':', ActorId)),
                what IN ('user.id', 'activity.actor.id'), ActorId,
                what = 'trace', TraceId,
                what IN ('tenant', 'activity.tenant.id'), CAST(TenantId, 'String'),
                what IN ('request_id', 'activity.request.id'), RequestId,
                what IN ('object', 'activity.object.id'), ObjectId,
                what = 'client.address', ClientAddress,
                Attributes[what]) AS id,
            -- rows without a session are alone, where nobody says that they were kept as one
            if(unit != 'auto' AND id = '', generateUUIDv4(), toUUIDOrZero(''))
    )
    GROUP BY event
) AS sampled
FULL JOIN
(
    SELECT event, sum(amount) AS exact, toFloat64(sumIf(amount, stood_for)) AS meant, count() AS records
    FROM
    (
        -- a Collector may deliver a counter twice: the same producer and number. Without a number all of them count
        SELECT
            EventName AS event,
            if(Seq = 0 OR Producer = '', sum(EventCount), any(EventCount)) AS amount,
            -- what weights stand for: not what a rule drops on purpose, nor what failed
            Reason IN ('', 'sample', 'budget', 'reentrant') AS stood_for
        FROM activity_counters
        WHERE Minute >= start AND Minute < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        GROUP BY EventName, Producer, Seq, Reason
    )
    GROUP BY event
) AS counters ON sampled.event = counters.event
ORDER BY events DESC, event
LIMIT {limit:UInt64}
