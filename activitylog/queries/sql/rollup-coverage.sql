-- title: Do the roll-ups hold all rows?
-- answers: On each of the newest days, how many rows are there, and how many did the hourly and the daily roll-up
--   count?
--   A row that is missing there came before the roll-up was made, or past its view.
--   Below 0: rows have left the table (archive, retention), and the roll-ups keep their counts.
-- group: quality
-- kind: series
-- x: day
-- y: rows
-- costs: reads times and actors of all rows of the range, and both roll-ups
-- example: activitylog query rollup-coverage --days 90
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 30 : without since: this many days up to the newest event
-- param limit UInt64 = 90 : at most this many days, the newest; days are whole
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start,
    toDate32(start) AS first_day,
    toDate32({until:DateTime64(9, 'UTC')} - toIntervalNanosecond(1)) AS last_day
SELECT
    day,
    rows,
    hourly_rows,
    rows - hourly_rows AS missing_hourly,
    actor_rows,
    daily_rows,
    actor_rows - daily_rows AS missing_daily
FROM
(
    SELECT
        day,
        sum(stored) AS rows,
        sum(hourly) AS hourly_rows,
        sum(by_actors) AS actor_rows,
        sum(daily) AS daily_rows
    FROM
    (
        SELECT toDate(Timestamp) AS day, toInt64(count()) AS stored, toInt64(0) AS hourly,
            toInt64(countIf(ActorId != '')) AS by_actors, toInt64(0) AS daily
        FROM activity_events
        WHERE Timestamp >= toDateTime64(first_day, 9, 'UTC') AND toDate(Timestamp) <= last_day
        GROUP BY day
        UNION ALL
        SELECT toDate(Hour) AS day, 0, sum(RowCount), 0, 0
        FROM activity_events_hourly
        WHERE toDate(Hour) >= first_day AND toDate(Hour) <= last_day
        GROUP BY day
        UNION ALL
        SELECT Day AS day, 0, 0, 0, sum(RowCount)
        FROM activity_events_actor_daily
        WHERE Day >= first_day AND Day <= last_day
        GROUP BY day
    )
    GROUP BY day
    ORDER BY day DESC
    LIMIT {limit:UInt64}
)
ORDER BY day
