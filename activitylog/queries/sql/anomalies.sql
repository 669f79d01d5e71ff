-- title: Unusual hours
-- answers: Which events happened in an hour much more, or much less, than in the same hour of earlier weeks? score is
--   the distance from their median, in units of the usual deviation (1.48 MAD, at least that of a Poisson count).
-- group: trouble
-- kind: table
-- costs: the hourly roll-up of the hours in question and of the same hours of the earlier weeks
-- example: activitylog query anomalies --hours 168 --score 8
-- param event String = : only events of this name; empty: all
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param hours UInt32 = 24 : this many whole hours up to the newest event are looked at, 168 at most
-- param weeks UInt32 = 4 : earlier weeks to compare with
-- param least_weeks UInt32 = 3 : an hour with fewer earlier weeks is left out
-- param least_events UInt32 = 10 : an hour is left out when it has fewer events than this now and usually
-- param score UInt32 = 5 : at least this unusual
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 20 : at most this many hours
WITH
    -- unless until says so, no later than an hour from now: one event of a wrong clock is not the newest; where all
    -- are later, it is this clock that is wrong
    if({until:DateTime64(9, 'UTC')} < toDateTime64('2262-01-01', 9, 'UTC')
            OR assumeNotNull((SELECT min(Hour) FROM activity_events_hourly)) > now() + toIntervalHour(1),
        {until:DateTime64(9, 'UTC')}, toDateTime64(toStartOfHour(now()) + toIntervalHour(2), 9, 'UTC')) AS bound,
    604800 AS week,
    -- The hour of the newest event is not over, and would look like a fall.
    (SELECT (toUInt32(min(Hour)), toUInt32(max(Hour))) FROM activity_events_hourly WHERE Hour <= bound - toIntervalHour(1)) AS whole,
    assumeNotNull((SELECT toUInt32(max(Hour)) FROM activity_events_hourly WHERE Hour < bound)) AS newest,
    assumeNotNull(if(whole.2 = newest AND bound >= now64(9, 'UTC'), whole.2, whole.2 + 3600)) AS end,
    least({hours:UInt32}, 168) * 3600 AS span,
    least({weeks:UInt32}, 500) AS back
SELECT
    toDateTime64(slot, 0, 'UTC') AS hour,
    event,
    now AS events,
    usual,
    round(deviation, 2) AS deviation,
    round((now - usual) / deviation, 1) AS score,
    weeks
FROM
(
    SELECT
        slot,
        event,
        groupArray(ago) AS agos,
        groupArray(weighted) AS amounts,
        -- weeks without a row had no such event, as far back as the store goes
        least(back, toUInt32(intDiv(greatest(toInt64(slot) - toInt64(assumeNotNull(whole.1)), 0), week))) AS weeks,
        arrayMap(n -> amounts[indexOf(agos, n)], range(1, weeks + 1)) AS earlier,
        amounts[indexOf(agos, 0)] AS now,
        ifNotFinite(arrayReduce('quantileExactInclusive(0.5)', earlier), 0) AS usual,
        arrayReduce('quantileExactInclusive(0.5)', arrayMap(amount -> abs(amount - usual), earlier)) AS mad,
        -- what sampling adds, now or usually, when nothing came now
        greatest(sumIf(variance, ago = 0), sumIf(variance, ago > 0) / greatest(weeks, 1)) AS sampling,
        sqrt(greatest(pow(1.4826 * mad, 2), usual, 1) + sampling) AS deviation
    FROM
    (
        SELECT
            EventName AS event,
            toUInt32(intDiv(end - 1 - toUInt32(Hour), week)) AS ago,
            toUInt32(toUInt32(Hour) + ago * week) AS slot,
            sum(Weighted) AS weighted,
            sum(Variance) AS variance
        FROM activity_events_hourly
        WHERE Hour < toDateTime(end, 'UTC') AND toInt64(toUInt32(Hour)) >= toInt64(end) - toInt64(span) - toInt64(back) * week
            AND (end - 1 - toUInt32(Hour)) % week < span
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
            AND ({event:String} = '' OR EventName = {event:String})
        GROUP BY event, ago, slot
    )
    GROUP BY slot, event
)
WHERE weeks >= greatest({least_weeks:UInt32}, 1)
    AND greatest(now, usual) >= {least_events:UInt32}
    AND abs(now - usual) / deviation >= {score:UInt32}
ORDER BY abs(now - usual) / deviation DESC, hour, event
LIMIT {limit:UInt64}
