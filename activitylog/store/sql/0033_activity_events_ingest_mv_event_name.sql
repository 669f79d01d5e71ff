-- As before, without the copy of the event's name that collector-config/gateway.yaml sends along.
ALTER TABLE activity_events_ingest_mv MODIFY QUERY
SELECT
    Timestamp, EventName, TenantId, ActorType, ActorId, ObjectType, ObjectId, TargetType, TargetId, Outcome, ErrorType,
    DurationUs, EventCount, SampleWeight, SampleRule, EventId, Producer, Seq,
    SessionId, RequestId, HttpMethod, HttpRoute, HttpStatus, UrlPath, ClientAddress, UserAgent,
    TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName,
    ResourceSchemaUrl, ScopeSchemaUrl, ScopeName, ScopeVersion,
    if(replaceOne(replaceOne(template, '\x01', ActorId), '\x02', ObjectId) = clean, template, clean) AS BodyTemplate,
    mapFilter((name, text) -> NOT (
        (text != '' AND name IN (
            'activity.tenant.id', 'activity.object.type', 'activity.object.id', 'activity.target.type',
            'activity.target.id', 'error.type', 'session.id', 'activity.request.id', 'http.request.method',
            'http.route', 'url.path', 'client.address', 'user_agent.original', 'activity.sample.rule',
            'activity.producer'))
        OR (name = 'activity.outcome' AND text != 'success')
        OR (name = 'activity.event.name' AND text IN ('', EventName))
        OR has(printed, name)), LogAttributes) AS Attributes,
    if(empty(ResourceAttributes), '', toJSONString(ResourceAttributes)) AS Resource,
    if(empty(ScopeAttributes), '', toJSONString(ScopeAttributes)) AS ScopeAttrs
FROM
(
    SELECT
        *,
        -- the body with the first actor's id and the first object's id replaced by their marks
        translate(Body, '\x01\x02', '\x1a\x1a') AS clean,
        if(ActorId = '', clean, replaceOne(clean, ActorId, '\x01')) AS named,
        if(ObjectId = '', named, replaceOne(named, ObjectId, '\x02')) AS template,
        -- the attributes, not simply text, that their column prints back
        arrayFilter(name -> name != '', [
            if(toString(EventId) = uid AND EventId != toUUID('00000000-0000-0000-0000-000000000000'), 'log.record.uid', ''),
            if(user != '' AND NOT has(names, 'activity.actor.id'), 'user.id', ''),
            if(user = '' AND actor_type NOT IN ('', 'user'), 'activity.actor.type', ''),
            if(actor != '' AND ActorType != 'user' AND NOT has(names, 'user.id'), 'activity.actor.id', ''),
            if(toString(EventCount) = count_text AND EventCount != 1, 'activity.count', ''),
            if(toString(DurationUs / 1000000) = duration AND DurationUs != 0, 'activity.duration', ''),
            if(toString(HttpStatus) = status AND HttpStatus != 0, 'http.response.status_code', ''),
            if(toString(SampleWeight) = weight AND SampleWeight != 1, 'activity.sample.weight', ''),
            if(toString(Seq) = seq_text AND Seq != 0, 'activity.seq', '')]) AS printed
    FROM
    (
        SELECT
            *,
            mapKeys(LogAttributes) AS names,
            mapValues(LogAttributes) AS texts,
            texts[indexOf(names, 'activity.tenant.id')] AS TenantId,
            texts[indexOf(names, 'user.id')] AS user,
            texts[indexOf(names, 'activity.actor.type')] AS actor_type,
            texts[indexOf(names, 'activity.actor.id')] AS actor,
            if(user = '', actor_type, 'user') AS ActorType,
            if(has(names, 'user.id'), user, actor) AS ActorId,
            texts[indexOf(names, 'activity.object.type')] AS ObjectType,
            texts[indexOf(names, 'activity.object.id')] AS ObjectId,
            texts[indexOf(names, 'activity.target.type')] AS TargetType,
            texts[indexOf(names, 'activity.target.id')] AS TargetId,
            if(has(names, 'activity.outcome'), texts[indexOf(names, 'activity.outcome')], 'success') AS Outcome,
            texts[indexOf(names, 'error.type')] AS ErrorType,
            texts[indexOf(names, 'session.id')] AS SessionId,
            texts[indexOf(names, 'activity.request.id')] AS RequestId,
            texts[indexOf(names, 'http.request.method')] AS HttpMethod,
            texts[indexOf(names, 'http.route')] AS HttpRoute,
            texts[indexOf(names, 'url.path')] AS UrlPath,
            texts[indexOf(names, 'client.address')] AS ClientAddress,
            texts[indexOf(names, 'user_agent.original')] AS UserAgent,
            texts[indexOf(names, 'activity.sample.rule')] AS SampleRule,
            texts[indexOf(names, 'activity.producer')] AS Producer,
            -- an id in either of the two forms that people write, any case
            texts[indexOf(names, 'log.record.uid')] AS uid,
            if(match(uid, '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$|^[0-9a-fA-F]{32}$'),
                toUUIDOrZero(uid), toUUID('00000000-0000-0000-0000-000000000000')) AS EventId,
            -- whole numbers: digits only, in range
            texts[indexOf(names, 'activity.count')] AS count_text,
            if(match(count_text, '^[0-9]{1,20}$'), toUInt64OrDefault(count_text, toUInt64(1)), 1) AS EventCount,
            texts[indexOf(names, 'http.response.status_code')] AS status,
            if(match(status, '^[0-9]{1,20}$'), toUInt16OrZero(status), 0) AS HttpStatus,
            texts[indexOf(names, 'activity.seq')] AS seq_text,
            if(match(seq_text, '^[0-9]{1,20}$'), toUInt64OrZero(seq_text), 0) AS Seq,
            -- numbers: as people and JSON write them, finite
            texts[indexOf(names, 'activity.duration')] AS duration,
            if(match(duration, '^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$'),
                round(toFloat64OrZero(duration) * 1000000), 0) AS microseconds,
            if(microseconds > 0 AND microseconds < 18446744073709551616, toUInt64(microseconds), 0) AS DurationUs,
            texts[indexOf(names, 'activity.sample.weight')] AS weight,
            if(match(weight, '^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$')
                AND isFinite(toFloat64OrZero(weight)), toFloat64OrZero(weight), 1) AS SampleWeight
        FROM activity_events_ingest
        WHERE EventName != 'activity.counted'
    )
);
