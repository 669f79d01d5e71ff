-- Every event name with its volume, from the hourly roll-up alone, which is read whole: a first time may be long ago.
-- trust is that of the view activity_estimates. From reach on the event has as many rows as are to be looked at. number
-- stands for the name in parameters, which have room for 128 KiB.
SELECT
    names.event AS event,
    names.rows AS rows,
    names.events AS events,
    names.standard_error AS standard_error,
    multiIf(
        NOT isFinite(names.events) OR names.events < names.amount, 'no',
        names.standard_error = 0, 'exact',
        names.events < sqrt(30) * names.standard_error, 'no',
        names.unit_rows > 0, 'ask',
        'yes') AS trust,
    names.first AS first,
    names.last AS last,
    names.reach AS reach,
    cityHash64(names.event) AS number,
    names.outcomes AS outcomes,
    count() OVER () AS names,
    now('UTC') AS now
FROM
(
    SELECT
        hours.event AS event,
        toUInt64(sum(hours.stored)) AS rows,
        sum(hours.amount) AS amount,
        sum(hours.weighted) AS events,
        sqrt(greatest(sum(hours.variance), 0)) AS standard_error,
        sum(hours.units) AS unit_rows,
        min(hours.hour) AS first,
        max(hours.hour) AS last,
        minIf(hours.hour, hours.newer < {rows:UInt64}) AS reach,
        sumMap(hours.outcomes) AS outcomes
    FROM
    (
        SELECT
            *,
            sum(stored) OVER (
                PARTITION BY event ORDER BY hour DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) - stored AS newer
        FROM
        (
            SELECT
                CAST(EventName, 'String') AS event,
                Hour AS hour,
                sum(RowCount) AS stored,
                sum(EventCount) AS amount,
                sum(Weighted) AS weighted,
                sum(Variance) AS variance,
                sum(UnitRows) AS units,
                sumMap(map(CAST(Outcome, 'String'), RowCount)) AS outcomes
            FROM activity_events_hourly
            WHERE EventName NOT IN ('activity.sealed', 'activity.counted')
            GROUP BY event, hour
            HAVING stored > 0
        )
    ) AS hours
    GROUP BY event
) AS names
ORDER BY rows DESC, event
LIMIT {limit:UInt64}
