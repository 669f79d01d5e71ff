-- Of the sampled rows: the versions of each event, and which typed columns have a value. pairs are the events' hours
-- that are read (hours.sql), and of the rows of each every so-and-so-many-th (steps), by a hash, so that the next
-- reading sees the same ones. A column is called what emit calls it, else as its attribute.
SELECT
    event,
    version,
    count() AS rows,
    min(time) AS first,
    max(time) AS last,
    sum(weight) AS weight,
    countIf(is_folded) AS folded,
    arraySort(groupUniqArray({most:UInt64})(service)) AS services,
    arraySort(groupUniqArrayIf({most:UInt64})(actor, actor != '')) AS actors,
    arraySort(groupUniqArrayIf({most:UInt64})(object, object != '')) AS objects,
    arraySort(groupUniqArrayIf({most:UInt64})(target, target != '')) AS targets,
    sumMap(columns) AS columns
FROM
(
    SELECT
        CAST(EventName, 'String') AS event,
        Attributes['activity.schema.version'] AS version,
        Timestamp AS time,
        SampleWeight * EventCount * transform(cityHash64(event, toUnixTimestamp(toStartOfHour(Timestamp))),
            {pairs:Array(UInt64)}, {steps:Array(UInt64)}, toUInt64(1)) AS weight,
        mapContains(Attributes, 'activity.rollup.last') AS is_folded,
        CAST(ServiceName, 'String') AS service,
        CAST(ActorType, 'String') AS actor,
        CAST(ObjectType, 'String') AS object,
        CAST(TargetType, 'String') AS target,
        map(
            'tenant', toUInt64(TenantId != ''), 'actor', toUInt64(ActorId != ''), 'object', toUInt64(ObjectId != ''),
            'target', toUInt64(TargetId != ''), 'outcome', toUInt64(Outcome != 'success'),
            'error', toUInt64(ErrorType != ''), 'duration', toUInt64(DurationUs != 0),
            'count', toUInt64(EventCount != 1), 'session', toUInt64(SessionId != ''),
            'request_id', toUInt64(RequestId != ''), 'http.request.method', toUInt64(HttpMethod != ''),
            'http.route', toUInt64(HttpRoute != ''), 'http.response.status_code', toUInt64(HttpStatus != 0),
            'url.path', toUInt64(UrlPath != ''), 'client.address', toUInt64(ClientAddress != ''),
            'user_agent.original', toUInt64(UserAgent != ''), 'message', toUInt64(BodyTemplate != ''),
            'objects', toUInt64(mapContains(Attributes, 'activity.object.ids')),
            'on_behalf_of', toUInt64(mapContains(Attributes, 'activity.actor.on_behalf_of'))
        ) AS columns
    FROM activity_events
    WHERE toStartOfHour(Timestamp) IN {hours:Array(DateTime('UTC'))}
        AND Timestamp >= {since:DateTime64(9, 'UTC')}
        AND cityHash64(CAST(EventName, 'String'), toUnixTimestamp(toStartOfHour(Timestamp))) IN {pairs:Array(UInt64)}
        AND cityHash64(Timestamp, EventId, Seq, ActorId) % transform(
            cityHash64(CAST(EventName, 'String'), toUnixTimestamp(toStartOfHour(Timestamp))),
            {pairs:Array(UInt64)}, {steps:Array(UInt64)}, toUInt64(1)) = 0
)
GROUP BY event, version
ORDER BY event, version
