-- LogAttributes says what it said, in fewer functions: the engine resolves the aliases of a table for every
-- query, whether it reads them or not. CPU before -> after, 500,000 events: any query 1.1 -> 0.6 ms for this alias alone;
-- a page of 100 rows with the map 12.9 -> 9.8 ms; LogAttributes['user.id'] = ... over a week 149 -> 127 ms.
ALTER TABLE activity_events MODIFY COLUMN LogAttributes Map(LowCardinality(String), String) ALIAS mapUpdate(
    mapFilter((name, text) -> text != '' OR (name = 'activity.outcome' AND Outcome = ''), mapFromArrays(
        ['log.record.uid', 'activity.tenant.id', 'user.id', 'activity.actor.type', 'activity.actor.id',
            'activity.object.type', 'activity.object.id', 'activity.target.type', 'activity.target.id',
            'activity.outcome', 'activity.count', 'error.type', 'activity.duration', 'session.id',
            'activity.request.id', 'http.request.method', 'http.route', 'http.response.status_code', 'url.path',
            'client.address', 'user_agent.original', 'activity.sample.weight', 'activity.sample.rule',
            'activity.producer', 'activity.seq'],
        [if(EventId = toUUID('00000000-0000-0000-0000-000000000000'), '', toString(EventId)), TenantId,
            if(ActorType = 'user' AND NOT mapContains(Attributes, 'activity.actor.id'), ActorId, ''),
            if(ActorType = 'user', '', ActorType), if(ActorType = 'user', '', ActorId),
            ObjectType, ObjectId, TargetType, TargetId,
            if(Outcome = 'success', '', Outcome), if(EventCount = 1, '', toString(EventCount)), ErrorType,
            if(DurationUs = 0, '', toString(DurationUs / 1000000)), SessionId,
            RequestId, HttpMethod, HttpRoute, if(HttpStatus = 0, '', toString(HttpStatus)), UrlPath,
            ClientAddress, UserAgent, if(SampleWeight = 1, '', toString(SampleWeight)), SampleRule,
            Producer, if(Seq = 0, '', toString(Seq))])),
    CAST(Attributes, 'Map(String, String)'));
