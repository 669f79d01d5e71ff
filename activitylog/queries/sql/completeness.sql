-- title: What is missing and what is doubled, by producer
-- answers: Which numbers of each producer are missing, in ranges, and how many are there twice, over everything that
--   is stored? And how many of its events has it counted as lost after it had numbered them, by reason: in lost those
--   of the destination that lost most (each event went to each), in losses those of each?
-- group: quality
-- kind: ranking
-- x: producer
-- y: missing
-- costs: reads producers and numbers of all rows and counters (about 18 bytes a row), with a range those of three
--   days around it; memory is small, numbers are kept as bitmaps
-- example: activitylog query completeness
-- param since DateTime64(9, 'UTC') = 1900-01-01 : only producers with rows from this time on (UTC), and their numbers
-- param until DateTime64(9, 'UTC') = 2262-01-01 : and before this time (UTC)
-- param near UInt32 = 3 : with a range: its numbers are looked for so many days around it, too; above 300 everywhere
-- param ranges UInt64 = 100 : at most this many ranges a producer, the lowest ones
-- param limit UInt64 = 1000 : at most this many producers, the worst first
WITH
    {since:DateTime64(9, 'UTC')} AS start,
    {until:DateTime64(9, 'UTC')} AS stop,
    start > toDateTime64('1901-01-01', 9, 'UTC') AS begun,
    stop < toDateTime64('2261-01-01', 9, 'UTC') AS ended,
    {near:UInt32} > 300 AS everywhere,
    if(everywhere, toDateTime64('1900-01-01', 9, 'UTC'),
        if(begun, start - toIntervalDay(least({near:UInt32}, 300)), start)) AS earliest,
    if(everywhere, toDateTime64('2262-04-11 23:47:16', 9, 'UTC'),
        if(ended, stop + toIntervalDay(least({near:UInt32}, 300)), stop)) AS latest
SELECT
    found.producer AS producer,
    service,
    -- behind a beginning nobody knows with which number a producer began; else it was 1
    if(begun, low, toUInt64(1)) AS first_seq,
    high AS last_seq,
    rows,
    toUInt64(high - first_seq + 1 - bitmapCardinality(bitmapSubsetInRange(numbers, first_seq, high + 1))) AS missing,
    toUInt64(rows - distinct_numbers) AS repeated,
    bitmapCardinality(begins) AS gaps,
    arrayZip(
        arraySort(bitmapToArray(bitmapSubsetLimit(begins, toUInt64(0), {ranges:UInt64}))),
        arraySort(bitmapToArray(bitmapSubsetLimit(ends, toUInt64(0), {ranges:UInt64})))) AS missing_ranges,
    CAST(lost_most, 'Map(String, UInt64)') AS lost,
    lost_by_destination AS losses,
    first,
    last
FROM
(
    SELECT
        *,
        -- where a number is there and the next is not (1 follows on 0); where one is not there and the next is
        bitmapAndnot(
            bitmapSubsetInRange(bitmapOr(followers, bitmapBuild([toUInt64(1)])), if(begun, low, 1), high + 1),
            numbers) AS begins,
        bitmapAndnot(bitmapSubsetInRange(leaders, if(begun, low, 1), high + 1), numbers) AS ends
    FROM
    (
        SELECT
            Producer AS producer,
            any(ServiceName) AS service,
            minIf(Seq, inside) AS low,
            maxIf(Seq, inside) AS high,
            countIf(inside) AS rows,
            groupBitmapIf(Seq, inside) AS distinct_numbers,
            groupBitmapState(Seq) AS numbers,
            groupBitmapState(toUInt64(Seq + 1)) AS followers,
            groupBitmapState(toUInt64(Seq - 1)) AS leaders,
            minIf(time, inside) AS first,
            maxIf(time, inside) AS last
        FROM
        (
            SELECT Producer, ServiceName, Seq, Timestamp AS time, time >= start AND time < stop AS inside
            FROM activity_events
            WHERE Timestamp >= earliest AND Timestamp < latest
            UNION ALL
            SELECT Producer, ServiceName, Seq, toDateTime64(Minute, 9, 'UTC') AS time, time >= start AND time < stop
            FROM activity_counters
            WHERE Minute >= earliest AND Minute < latest
        )
        WHERE Seq > 0 AND Seq < 18446744073709551615 AND Producer != ''
        GROUP BY producer
        HAVING rows > 0
    )
) AS found
LEFT JOIN
(
    -- Lost after it had a number: a counter of no event, once each. Every destination counts what it loses, and the
    -- same event may be lost by several, so these are never summed.
    SELECT
        producer,
        argMax(reasons, (total, destination)) AS lost_most,
        CAST(groupArray((destination, reasons)), 'Map(String, Map(String, UInt64))') AS lost_by_destination
    FROM
    (
        SELECT producer, destination, sumMap(map(reason, number_of)) AS reasons, sum(number_of) AS total
        FROM
        (
            SELECT
                Producer AS producer,
                Rule AS destination,
                Reason AS reason,
                if(Seq = 0, sum(EventCount), any(EventCount)) AS number_of
            FROM activity_counters
            WHERE EventName = '' AND Reason != '' AND Minute >= earliest AND Minute < latest
            GROUP BY producer, destination, reason, Seq, Minute
        )
        GROUP BY producer, destination
    )
    GROUP BY producer
) AS counted ON counted.producer = found.producer
ORDER BY missing DESC, repeated DESC, producer
LIMIT {limit:UInt64}
