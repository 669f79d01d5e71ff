-- As activity_estimates, from the rows: filter by Day. Rows that were kept as a whole (SampleBy: a session, an actor, a
-- trace, a tenant, the value of an attribute) are one draw, all others a draw each.
--
-- StandardError is the root of the sum, over the draws, of w(w - 1)y², w the weight and y the events of a draw: unbiased
-- for independent draws. Of a budget (so many of n kept, weight n/k) it is rather too large, since these are drawn
-- without putting back. Rows of weight 1 (the first of a window, failures, whatever no rule sampled) add nothing.
--
-- Draws: how many had a weight above 1. DrawsInEffect: as many equal ones would carry that part of the sum as surely
-- (Kish). LargestShare: of the largest one in it. Trust as in activity_estimates; 'no' where fewer than 30 draws in
-- effect carry it or one has more than 5 % of it. Lines of several days, events or tenants have units in common: their
-- errors do not simply add up by squares, and the question `estimates` has that of any range.
CREATE VIEW IF NOT EXISTS activity_estimates_by_unit SQL SECURITY INVOKER AS
SELECT
    draws.Day AS Day,
    draws.TenantId AS TenantId,
    draws.EventName AS EventName,
    sum(draws.stored) AS RowCount,
    sum(draws.amount) AS EventCount,
    sum(draws.weighted) AS Weighted,
    sqrt(sum(draws.variance)) AS StandardError,
    least(greatest(Weighted - 1.96 * StandardError, toFloat64(EventCount)), Weighted) AS Low,
    Weighted + 1.96 * StandardError AS High,
    sum(draws.drawn) AS Draws,
    ifNotFinite(pow(sum(draws.sampled), 2) / sum(draws.squares), 0) AS DrawsInEffect,
    ifNotFinite(max(draws.largest) / sum(draws.sampled), 0) AS LargestShare,
    multiIf(Reason = '' AND StandardError = 0, 'exact', Reason = '', 'yes', 'no') AS Trust,
    multiIf(
        NOT isFinite(Weighted) OR sum(draws.wrong) > 0, 'weights below 1',
        StandardError = 0, '',
        sum(draws.lost) > 0, 'the rows do not have the unit that they were kept by',
        DrawsInEffect < 30, 'fewer than 30 draws in effect',
        LargestShare > 0.05, 'one draw has more than 5 %',
        '') AS Reason
FROM
(
    SELECT
        -- by the hour, as the table is sorted: so a filter by Day skips the other days
        toDate(toStartOfHour(events.Timestamp)) AS Day,
        events.TenantId AS TenantId,
        events.EventName AS EventName,
        count() AS stored,
        sum(events.EventCount) AS amount,
        sum(events.SampleWeight * events.EventCount) AS weighted,
        sum(greatest(events.SampleWeight * (events.SampleWeight - 1), 0) * pow(events.EventCount, 2)) AS variance,
        countIf(events.SampleWeight > 1) AS drawn,
        sumIf(events.SampleWeight * events.EventCount, events.SampleWeight > 1) AS sampled,
        sumIf(pow(events.SampleWeight * events.EventCount, 2), events.SampleWeight > 1) AS squares,
        maxIf(events.SampleWeight * events.EventCount, events.SampleWeight > 1) AS largest,
        countIf(NOT events.SampleWeight >= 1) AS wrong,
        0 AS lost
    FROM activity_events AS events
    WHERE events.SampleBy = ''
    GROUP BY Day, TenantId, EventName
    UNION ALL
    SELECT
        Day,
        TenantId,
        EventName,
        sum(units.rows) AS stored,
        sum(units.events) AS amount,
        sum(units.total) AS weighted,
        sum(pow(units.deviation, 2)) AS variance,
        countIf(units.part > 0) AS drawn,
        sum(units.part) AS sampled,
        sum(pow(units.part, 2)) AS squares,
        max(units.part) AS largest,
        sum(units.wrong) AS wrong,
        countIf(units.unit = '' AND units.part > 0) AS lost
    FROM
    (
        SELECT
            toDate(toStartOfHour(events.Timestamp)) AS Day,
            events.TenantId AS TenantId,
            events.EventName AS EventName,
            multiIf(
                events.SampleBy IN ('session', 'session.id'), events.SessionId,
                events.SampleBy = 'actor', if(events.ActorId = '', '', concat(events.ActorType, ':', events.ActorId)),
                events.SampleBy IN ('user.id', 'activity.actor.id'), events.ActorId,
                events.SampleBy = 'trace', events.TraceId,
                events.SampleBy IN ('tenant', 'activity.tenant.id'), CAST(events.TenantId, 'String'),
                events.SampleBy IN ('request_id', 'activity.request.id'), events.RequestId,
                events.SampleBy IN ('object', 'activity.object.id'), events.ObjectId,
                events.SampleBy = 'client.address', events.ClientAddress,
                events.Attributes[CAST(events.SampleBy, 'String')]) AS unit,
            count() AS rows,
            sum(events.EventCount) AS events,
            sum(events.SampleWeight * events.EventCount) AS total,
            -- of one weight: the root of w(w - 1)y²; of several that go together, no less than theirs
            sum(sqrt(greatest(events.SampleWeight * (events.SampleWeight - 1), 0)) * events.EventCount) AS deviation,
            sumIf(events.SampleWeight * events.EventCount, events.SampleWeight > 1) AS part,
            countIf(NOT events.SampleWeight >= 1) AS wrong
        FROM activity_events AS events
        WHERE events.SampleBy != ''
        GROUP BY Day, TenantId, EventName, events.SampleBy, unit
    ) AS units
    GROUP BY Day, TenantId, EventName
) AS draws
GROUP BY Day, TenantId, EventName;
