-- title: Gaps and repeats by producer
-- answers: Which producers have gaps or repeats in the numbers of their events: is everything there, once? Each numbers
--   its events from 1 without gaps, the exact counters among them.
-- group: quality
-- kind: ranking
-- x: producer
-- y: missing
-- costs: reads producers and numbers of all rows of the range (about 18 bytes a row); memory is small, numbers are kept
--   as bitmaps
-- example: activitylog query gaps --days 30
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC); unless given, days decides
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param days UInt32 = 1 : without since: this many days up to the newest event
-- param limit UInt64 = 50 : at most this many producers, the worst first
WITH
    if({since:DateTime64(9, 'UTC')} > toDateTime64('1900-01-01', 9, 'UTC'), {since:DateTime64(9, 'UTC')}, least(
        {until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1)
    ) - toIntervalDay(least({days:UInt32}, 36500))) AS start
SELECT
    producer,
    service,
    first_seq,
    last_seq,
    rows,
    last_seq - first_seq + 1 - bitmapCardinality(numbers) AS missing,
    rows - bitmapCardinality(numbers) AS repeated,
    -- where a number is there and the next one is not; the last number has none behind it
    bitmapAndnotCardinality(followers, numbers) - 1 AS gaps,
    if(missing > 0, bitmapMin(bitmapAndnot(followers, numbers)), 0) AS first_missing,
    last
FROM
(
    SELECT
        Producer AS producer,
        any(ServiceName) AS service,
        min(Seq) AS first_seq,
        max(Seq) AS last_seq,
        count() AS rows,
        groupBitmapState(Seq) AS numbers,
        groupBitmapState(Seq + 1) AS followers,
        max(time) AS last
    FROM
    (
        SELECT Producer, ServiceName, Seq, Timestamp AS time
        FROM activity_events
        WHERE Timestamp >= start AND Timestamp < {until:DateTime64(9, 'UTC')}
        UNION ALL
        SELECT Producer, ServiceName, Seq, toDateTime64(Minute, 9, 'UTC') AS time
        FROM activity_counters
        WHERE Minute >= start AND Minute < {until:DateTime64(9, 'UTC')}
    )
    WHERE Seq > 0 AND Seq < 18446744073709551615 AND Producer != ''
    GROUP BY producer
)
ORDER BY missing DESC, repeated DESC, producer
LIMIT {limit:UInt64}
