-- title: What is missing and what is doubled, by producer
-- answers: Which numbers of each producer are missing, in ranges, and how many are there twice, over everything that
--   is stored? And how many of its events has it counted as lost after it had numbered them, by reason: in lost those
--   of the destination that lost most (each event went to each), in losses those of each? What is redelivered was
--   refused, and delivered later. With a range: losses that may be of its numbers, and what is around it.
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
-- param retained DateTime64(9, 'UTC') = 1900-01-01 : retention takes events, not counters, from before this time (UTC)
-- param ranges UInt64 = 100 : at most this many ranges a producer, the lowest ones
-- param limit UInt64 = 1000 : at most this many producers, the worst first
WITH
    {since:DateTime64(9, 'UTC')} AS start,
    {until:DateTime64(9, 'UTC')} AS stop,
    {retained:DateTime64(9, 'UTC')} AS retained,
    toDateTime64('1900-01-01', 9, 'UTC') AS never,
    start > toDateTime64('1901-01-01', 9, 'UTC') AS begun,
    stop < toDateTime64('2261-01-01', 9, 'UTC') AS ended,
    {near:UInt32} > 300 AS everywhere,
    if(everywhere, never, if(begun, start - toIntervalDay(least({near:UInt32}, 300)), start)) AS earliest,
    if(everywhere, toDateTime64('2262-04-11 23:47:16', 9, 'UTC'),
        if(ended, stop + toIntervalDay(least({near:UInt32}, 300)), stop)) AS latest
SELECT
    producer,
    service,
    first_seq,
    high AS last_seq,
    rows,
    toUInt64(high - first_seq + 1 - bitmapCardinality(bitmapSubsetInRange(numbers, first_seq, high + 1))) AS missing,
    toUInt64(rows - distinct_numbers) AS repeated,
    bitmapCardinality(begins) AS gaps,
    arrayZip(
        arraySort(bitmapToArray(bitmapSubsetLimit(begins, toUInt64(0), {ranges:UInt64}))),
        arraySort(bitmapToArray(bitmapSubsetLimit(ends, toUInt64(0), {ranges:UInt64})))) AS missing_ranges,
    -- the destination that lost most, of which what was delivered later is no loss
    losses[arrayReverseSort(name -> (
        toInt64(arraySum(mapValues(losses[name]))) - 2 * toInt64(losses[name]['redelivered']), name
    ), mapKeys(losses))[1]] AS lost,
    by_place[1] AS losses,
    first,
    last,
    -- of the missing ones: those that retention may have taken
    toUInt64(if(left_below > first_seq, least(left_below, high + 1) - first_seq
        - bitmapCardinality(bitmapSubsetInRange(numbers, first_seq, least(left_below, high + 1))), 0)) AS aged,
    left_below,
    lowest,
    oldest,
    toUInt64(if(first_seq > whole_from, first_seq - whole_from
        - bitmapCardinality(bitmapSubsetInRange(numbers, whole_from, first_seq)), 0)) AS missing_before,
    toUInt64(highest - high - bitmapCardinality(bitmapSubsetInRange(numbers, high + 1, highest + 1))) AS missing_after,
    by_place[2] AS losses_before,
    by_place[3] AS losses_after
FROM
(
    SELECT
        found.*,
        -- Losses are of numbers below that of their report; those of a dead process, which has none, are by time.
        arrayMap(report -> (report.1, report.2, report.5, multiIf(
            if(report.3 > 0, report.3 <= after_seq, report.4 + toIntervalMinute(1) <= after_time), 'before',
            if(report.3 > 0, report.3 > high, report.4 >= stop), 'after',
            'within')), counted.reports) AS placed,
        -- destination -> reason -> how many: of these numbers or later ones, of earlier ones, of later ones at best
        arrayMap(places -> CAST(
            arrayMap(name -> (name, arrayReduce('sumMap', arrayMap(
                report -> map(report.2, report.3),
                arrayFilter(report -> report.1 = name AND has(places, report.4), placed)))),
                arrayDistinct(arrayMap(report -> report.1, arrayFilter(report -> has(places, report.4), placed)))),
            'Map(String, Map(String, UInt64))'), [['within', 'after'], ['before'], ['after']]) AS by_place
    FROM
    (
        SELECT
            *,
            -- behind a beginning nobody knows with which number a producer began; else it was 1
            if(begun, low, toUInt64(1)) AS first_seq,
            -- Events below it may have left by retention: it is old enough, and no older event is there.
            multiIf(first_event > 0 AND event_time <= retained, first_event,
                first_event > 0, least(first_event, old_counter), old_counter) AS left_below,
            greatest(left_below, lowest) AS whole_from,
            -- what was counted as lost by then is of numbers before the range, or before those that retention has left
            greatest(left_below, if(begun, low, toUInt64(0))) AS after_seq,
            greatest(multiIf(left_below = 0, never, event_time <= retained, event_time, counter_time),
                if(begun, start, never)) AS after_time,
            -- where a number is there and the next is not (1 follows on 0); where one is not there and the next is
            bitmapAndnot(
                bitmapSubsetInRange(bitmapOr(followers, bitmapBuild([toUInt64(1)])), first_seq, high + 1),
                numbers) AS begins,
            bitmapAndnot(bitmapSubsetInRange(leaders, first_seq, high + 1), numbers) AS ends
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
                maxIf(time, inside) AS last,
                min(Seq) AS lowest,
                max(Seq) AS highest,
                min(time) AS oldest,
                minIf(Seq, is_event) AS first_event,
                argMinIf(time, Seq, is_event) AS event_time,
                maxIf(Seq, NOT is_event AND time <= retained) AS old_counter,
                argMaxIf(time, Seq, NOT is_event AND time <= retained) AS counter_time
            FROM
            (
                SELECT
                    Producer, ServiceName, Seq, Timestamp AS time,
                    time >= start AND time < stop AS inside, true AS is_event
                FROM activity_events
                WHERE Timestamp >= earliest AND Timestamp < latest
                UNION ALL
                SELECT
                    Producer, ServiceName, Seq, toDateTime64(Minute, 9, 'UTC') AS time,
                    time >= start AND time < stop, false
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
        -- same event may be lost by several, so these are never summed. What was undecided had no number.
        SELECT producer, groupArray((destination, reason, Seq, Minute, number_of)) AS reports
        FROM
        (
            SELECT
                Producer AS producer,
                Rule AS destination,
                Reason AS reason,
                Seq,
                Minute,
                if(Seq = 0, sum(EventCount), any(EventCount)) AS number_of
            FROM activity_counters
            WHERE EventName = '' AND Reason NOT IN ('', 'undecided') AND Minute >= earliest AND Minute < latest
            GROUP BY producer, destination, reason, Seq, Minute
        )
        GROUP BY producer
    ) AS counted ON counted.producer = found.producer
)
ORDER BY missing DESC, repeated DESC, producer
LIMIT {limit:UInt64}
