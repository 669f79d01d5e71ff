-- title: Storage by event name
-- answers: About how many bytes of the store does each event name take? The bytes of the table, shared out by rows and
--   by how long the texts of such an event are in the newest rows.
-- group: storage
-- kind: ranking
-- x: event
-- y: estimated_bytes
-- costs: the hourly roll-up of the range, and ids, texts and attributes of all rows of the newest hours
-- example: activitylog query storage-by-event --sample-hours 1
-- param sample_hours UInt32 = 24 : lengths are those of the rows of this many newest hours
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many names
WITH
    -- days of which rows are here: archived or expired they leave by the partition, and the roll-up keeps their counts
    (
        SELECT groupUniqArrayArray(arrayMap(day -> toDate32(first) + day, range(dateDiff('day', first, last) + 1)))
        FROM (SELECT min(Timestamp) AS first, max(Timestamp) AS last FROM activity_events GROUP BY _partition_id)
    ) AS present,
    (
        SELECT (sum(bytes_on_disk), sum(rows))
        FROM system.parts
        WHERE active AND database = currentDatabase() AND table = 'activity_events'
    ) AS stored,
    least({until:DateTime64(9, 'UTC')}, assumeNotNull((SELECT max(Timestamp) FROM activity_events)), now64(9, 'UTC') + toIntervalHour(1))
        - toIntervalHour(least({sample_hours:UInt32}, 876000)) AS sample_start
SELECT
    event,
    rows,
    round(length, 1) AS raw_bytes_per_row,
    toUInt64(ifNotFinite(assumeNotNull(stored.1) * (sum(rows) OVER () / assumeNotNull(stored.2)) * rows * length / sum(rows * length) OVER (), 0)) AS estimated_bytes,
    ifNotFinite(round(100 * rows * length / sum(rows * length) OVER (), 2), 0) AS percent
FROM
(
    SELECT
        counted.event AS event,
        toUInt64(counted.rows) AS rows,
        -- a name that is not among the newest rows has the average length
        if(lengths.event != '', lengths.length, ifNotFinite(avgIf(lengths.length, lengths.event != '') OVER (), 1)) AS length
    FROM
    (
        SELECT EventName AS event, sum(RowCount) AS rows
        FROM activity_events_hourly
        WHERE toDate32(Hour) IN (SELECT arrayJoin(present))
            AND Hour >= {since:DateTime64(9, 'UTC')} AND Hour <= {until:DateTime64(9, 'UTC')} - toIntervalHour(1)
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        GROUP BY event
        HAVING rows > 0
    ) AS counted
    LEFT JOIN
    (
        SELECT
            EventName AS event,
            -- 60: the columns of a fixed width
            60 + avg(byteSize(ActorId, ObjectId, TargetId, SessionId, RequestId, UrlPath, ClientAddress, TraceId, SpanId,
                BodyTemplate, Attributes)) AS length
        FROM activity_events
        WHERE Timestamp >= sample_start AND Timestamp < {until:DateTime64(9, 'UTC')}
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        GROUP BY event
    ) AS lengths ON counted.event = lengths.event
)
ORDER BY estimated_bytes DESC, rows DESC, event
LIMIT {limit:UInt64}
