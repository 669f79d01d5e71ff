-- title: Unique actors by day
-- answers: How many different actors did something on each of the newest days? Exact where nothing was sampled out.
-- kind: series
-- x: day
-- y: actors
-- param actor_type String = : kind of actor, such as user; empty: any
-- param since DateTime64(9, 'UTC') = 1900-01-01 : from this time on (UTC)
-- param until DateTime64(9, 'UTC') = 2262-01-01 : before this time (UTC)
-- param tenant String = : only this tenant; empty: all
-- param limit UInt64 = 90 : this many days up to the newest event
SELECT day, actors, events
FROM
(
    SELECT
        toDate(Timestamp) AS day,
        uniqExact(TenantId, ActorType, ActorId) AS actors,
        sum(SampleWeight * EventCount) AS events
    FROM activity_events
    WHERE Timestamp >= {since:DateTime64(9, 'UTC')} AND Timestamp < {until:DateTime64(9, 'UTC')}
        AND ({tenant:String} = '' OR TenantId = {tenant:String})
        AND ({actor_type:String} = '' OR ActorType = {actor_type:String})
        AND ActorId != ''
    GROUP BY day
    ORDER BY day DESC WITH FILL STEP INTERVAL -1 DAY
    LIMIT {limit:UInt64}
)
ORDER BY day
