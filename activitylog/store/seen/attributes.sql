-- Of the same rows as in versions.sql: the attributes in the map, what their texts can be read as, and how often.
-- Values stay where they are: only counts leave the store. The patterns are those of activitylog.attribute_types.
SELECT
    event,
    version,
    name,
    multiIf(
        text = '', 'empty',
        text = '[redacted]', 'redacted',
        match(text, {boolean:String}), 'boolean',
        match(text, {integer:String}) AND toInt64OrNull(text) IS NOT NULL, 'integer',
        match(text, {number:String}), 'number',
        match(text, {time:String}), 'time',
        startsWith(text, '[') AND isValidJSON(text), 'list',
        startsWith(text, '{') AND isValidJSON(text), 'map',
        'text') AS kind,
    count() AS rows,
    sum(weight) AS weight,
    min(time) AS first,
    max(time) AS last,
    arraySort(groupUniqArray({most:UInt64})(service)) AS services
FROM
(
    SELECT
        CAST(EventName, 'String') AS event,
        Attributes['activity.schema.version'] AS version,
        Timestamp AS time,
        SampleWeight * EventCount * transform(cityHash64(event, toUnixTimestamp(toStartOfHour(Timestamp))),
            {pairs:Array(UInt64)}, {steps:Array(UInt64)}, toUInt64(1)) AS weight,
        CAST(ServiceName, 'String') AS service,
        arrayJoin(CAST(Attributes, 'Array(Tuple(String, String))')) AS pair,
        pair.1 AS name,
        pair.2 AS text
    FROM activity_events
    WHERE toStartOfHour(Timestamp) IN {hours:Array(DateTime('UTC'))}
        AND Timestamp >= {since:DateTime64(9, 'UTC')}
        AND cityHash64(CAST(EventName, 'String'), toUnixTimestamp(toStartOfHour(Timestamp))) IN {pairs:Array(UInt64)}
        AND cityHash64(Timestamp, EventId, Seq, ActorId) % transform(
            cityHash64(CAST(EventName, 'String'), toUnixTimestamp(toStartOfHour(Timestamp))),
            {pairs:Array(UInt64)}, {steps:Array(UInt64)}, toUInt64(1)) = 0
)
WHERE NOT startsWith(name, 'activity.')
GROUP BY event, version, name, kind
ORDER BY event, version, rows DESC, name, kind
LIMIT {attributes:UInt64} BY event, version
