-- In which hours each event has rows, and how many, from the hourly roll-up. pair is a number for the two. A rare event
-- is asked for from a time of its own on (rare, rare_since: seconds). Names are given by their numbers.
SELECT
    hours.event AS event,
    hours.hour AS hour,
    toUInt64(hours.stored) AS rows,
    cityHash64(hours.event, toUnixTimestamp(hours.hour)) AS pair
FROM
(
    SELECT CAST(EventName, 'String') AS event, Hour AS hour, sum(RowCount) AS stored
    FROM activity_events_hourly
    WHERE Hour >= {earliest:DateTime('UTC')} AND Hour < {until:DateTime64(9, 'UTC')}
        AND toUnixTimestamp(Hour) >= transform(
            cityHash64(CAST(EventName, 'String')), {rare:Array(UInt64)}, {rare_since:Array(UInt32)},
            toUnixTimestamp({start:DateTime('UTC')}))
        AND EventName NOT IN ('', 'activity.sealed', 'activity.counted')
        AND (empty({names:Array(UInt64)}) OR cityHash64(CAST(EventName, 'String')) IN {names:Array(UInt64)})
    GROUP BY event, hour
    HAVING stored > 0
) AS hours
ORDER BY event, hour DESC
LIMIT {most:UInt64} BY event
