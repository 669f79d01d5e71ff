-- title: Events by name
-- answers: Which events are there, and how often? events counts what was sampled out and rolled up, too;
--   first and last are whole hours where the rows have left the table (archive, retention).
-- group: what
-- kind: ranking
-- x: event
-- y: events
-- costs: whole hours from the hourly roll-up, the ends of the range from the rows; for first and last the rows of
--   two hours an event
-- example: activitylog query event-counts --since 2026-05-01
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many names
WITH
    (
        SELECT groupArray((event, rows, events, first_hour, last_hour))
        FROM
        (
            SELECT event, sum(stored) AS rows, sum(weighted) AS events, min(hour) AS first_hour, max(hour) AS last_hour
            FROM
            (
                SELECT EventName AS event, hour, sum(stored) AS stored, sum(weighted) AS weighted
                FROM
                (
                    SELECT EventName, Hour AS hour, RowCount AS stored, Weighted AS weighted
                    FROM activity_events_hourly
                    WHERE Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= {until:DateTime64(9, 'UTC')} - toIntervalHour(1)
                        AND ({tenant:String} = '' OR TenantId = {tenant:String})
                    UNION ALL
                    SELECT EventName, toStartOfHour(Timestamp) AS hour, 1 AS stored, SampleWeight * EventCount AS weighted
                    FROM activity_events
                    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
                        AND (toStartOfHour(Timestamp) < {since:DateTime64(9, 'UTC')} OR toStartOfHour(Timestamp) > {until:DateTime64(9, 'UTC')} - toIntervalHour(1))
                        AND ({tenant:String} = '' OR TenantId = {tenant:String})
                )
                GROUP BY event, hour
                HAVING stored > 0
            )
            GROUP BY event
            ORDER BY events DESC, event
            LIMIT {limit:UInt64}
        )
    ) AS counted
SELECT
    names.event AS event,
    toUInt64(names.rows) AS rows,
    names.events AS events,
    if(toStartOfHour(seen.first) = names.first_hour, seen.first, toDateTime64(names.first_hour, 9, 'UTC')) AS first,
    if(toStartOfHour(seen.last) = names.last_hour, seen.last, toDateTime64(names.last_hour, 9, 'UTC')) AS last
FROM
(
    SELECT line.1 AS event, line.2 AS rows, line.3 AS events, line.4 AS first_hour, line.5 AS last_hour
    FROM (SELECT arrayJoin(counted) AS line)
) AS names
LEFT JOIN
(
    SELECT EventName AS event, min(Timestamp) AS first, max(Timestamp) AS last
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND EventName IN (SELECT arrayJoin(counted.1))
        AND toStartOfHour(Timestamp) IN (SELECT arrayJoin(arrayConcat(counted.4, counted.5)))
    GROUP BY event
) AS seen ON names.event = seen.event
ORDER BY events DESC, event
