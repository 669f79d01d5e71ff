-- title: Usage by tenant
-- answers: How much does each tenant use: events, their share, actors, and about how many bytes of the store?
-- group: storage
-- kind: ranking
-- x: tenant
-- y: events
-- costs: both roll-ups for the days of the range
-- example: activitylog query tenant-usage --since 2026-05-01 --until 2026-06-01
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 50 : at most this many tenants; days are whole
WITH
    toDate32({since:DateTime64(9, 'UTC')}) AS first_day,
    toDate32({until:DateTime64(9, 'UTC')} - toIntervalNanosecond(1)) AS last_day,
    (
        SELECT ifNotFinite(sum(bytes_on_disk) / sum(rows), 0)
        FROM system.parts
        WHERE active AND database = currentDatabase() AND table = 'activity_events'
    ) AS bytes_per_row,
    -- days of which rows are here: archived or expired they leave by the partition, and the roll-up keeps their counts
    (
        SELECT groupUniqArrayArray(arrayMap(day -> toDate32(first) + day, range(dateDiff('day', first, last) + 1)))
        FROM (SELECT min(Timestamp) AS first, max(Timestamp) AS last FROM activity_events GROUP BY _partition_id)
    ) AS present
SELECT
    tenant,
    toUInt64(sum(stored)) AS rows,
    sum(weighted) AS events,
    ifNotFinite(round(100 * events / sum(events) OVER (), 2), 0) AS percent,
    toUInt64(sum(distinct_actors)) AS actors,
    toUInt64(greatest(sum(kept), 0) * assumeNotNull(bytes_per_row)) AS estimated_bytes,
    ifNotFinite(round(100 * sum(bad) / events, 2), 0) AS failed_percent
FROM
(
    SELECT
        TenantId AS tenant,
        RowCount AS stored,
        if(toDate32(Hour) IN (SELECT arrayJoin(present)), RowCount, 0) AS kept,
        Weighted AS weighted,
        if(Outcome IN ('failure', 'denied'), Weighted, 0) AS bad,
        0 AS distinct_actors
    FROM activity_events_hourly
    WHERE toDate(Hour) >= first_day AND toDate(Hour) <= last_day
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
    UNION ALL
    SELECT TenantId AS tenant, 0, 0, 0, 0, uniqExact(ActorType, ActorId) AS distinct_actors
    FROM
    (
        SELECT TenantId, ActorType, ActorId
        FROM activity_events_actor_daily
        WHERE Day >= first_day AND Day <= last_day
            AND ({tenant:String} = '' OR TenantId = {tenant:String})
        GROUP BY TenantId, ActorType, ActorId
        HAVING sum(RowCount) > 0
    )
    GROUP BY tenant
)
GROUP BY tenant
HAVING rows > 0
ORDER BY events DESC, tenant
LIMIT {limit:UInt64}
