-- The table of events. Needs ClickHouse 26.2 or newer (the text index); before 26.2 leave out idx_body.
--
-- Typed columns follow activitylog/event.py; a column that holds its default means that the attribute is absent.
-- The four bulky OpenTelemetry columns are kept in a compact form (BodyTemplate, Attributes, Resource, ScopeAttrs)
-- and offered under their own names as aliases, which SELECT * leaves out: name them.
--
-- All times are UTC, whatever the time zone of the server or laptop: hours, days and partitions must not move.
CREATE TABLE IF NOT EXISTS activity_events
(
    -- who did what to which object
    Timestamp DateTime64(9, 'UTC') CODEC(GCD, Delta(8), ZSTD(1)),
    EventName LowCardinality(String) CODEC(ZSTD(1)),
    TenantId LowCardinality(String) CODEC(ZSTD(1)),
    ActorType LowCardinality(String) CODEC(ZSTD(1)),
    ActorId String CODEC(ZSTD(1)),
    ObjectType LowCardinality(String) CODEC(ZSTD(1)),
    ObjectId String CODEC(ZSTD(3)),
    TargetType LowCardinality(String) CODEC(ZSTD(1)),
    TargetId String CODEC(ZSTD(3)),
    Outcome LowCardinality(String) DEFAULT 'success' CODEC(ZSTD(1)),
    ErrorType LowCardinality(String) CODEC(ZSTD(1)),
    DurationUs UInt64 CODEC(GCD, T64, ZSTD(1)),

    -- how many events the row stands for, and who counted them
    EventCount UInt64 DEFAULT 1 CODEC(T64, ZSTD(1)),
    SampleWeight Float64 DEFAULT 1 CODEC(ZSTD(1)),
    SampleRule LowCardinality(String) CODEC(ZSTD(1)),
    EventId UUID CODEC(ZSTD(1)),
    Producer LowCardinality(String) CODEC(ZSTD(1)),
    Seq UInt64 CODEC(T64, ZSTD(1)),

    -- the request
    SessionId String CODEC(ZSTD(1)),
    RequestId String CODEC(ZSTD(1)),
    HttpMethod LowCardinality(String) CODEC(ZSTD(1)),
    HttpRoute LowCardinality(String) CODEC(ZSTD(1)),
    HttpStatus UInt16 CODEC(T64, ZSTD(1)),
    UrlPath String CODEC(ZSTD(1)),
    ClientAddress String CODEC(ZSTD(1)),
    UserAgent LowCardinality(String) CODEC(ZSTD(1)),

    -- fields of the OpenTelemetry log record
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8 CODEC(ZSTD(1)),
    SeverityText LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber UInt8 CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName LowCardinality(String) CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),

    -- compact forms of the bulky ones: in BodyTemplate \x01 stands for ActorId and \x02 for ObjectId
    BodyTemplate String CODEC(ZSTD(3)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    Resource LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttrs LowCardinality(String) CODEC(ZSTD(1)),

    -- and their OpenTelemetry names
    Body String ALIAS replaceOne(replaceOne(BodyTemplate, '\x01', ActorId), '\x02', ObjectId),
    ResourceAttributes Map(LowCardinality(String), String) ALIAS JSONExtract(CAST(Resource, 'String'), 'Map(String, String)'),
    ScopeAttributes Map(LowCardinality(String), String) ALIAS JSONExtract(CAST(ScopeAttrs, 'String'), 'Map(String, String)'),
    -- What a column says, unless the map says it better: '007' is in the map beside the column's 7.
    LogAttributes Map(LowCardinality(String), String) ALIAS mapUpdate(
        CAST(arrayFilter(pair -> pair.2, [
            (('log.record.uid', toString(EventId)), EventId != toUUID('00000000-0000-0000-0000-000000000000')),
            (('activity.tenant.id', CAST(TenantId, 'String')), TenantId != ''),
            (('user.id', ActorId), ActorType = 'user' AND ActorId != '' AND NOT mapContains(Attributes, 'activity.actor.id')),
            (('activity.actor.type', CAST(ActorType, 'String')), ActorType NOT IN ('', 'user')),
            (('activity.actor.id', ActorId), ActorType != 'user' AND ActorId != ''),
            (('activity.object.type', CAST(ObjectType, 'String')), ObjectType != ''),
            (('activity.object.id', ObjectId), ObjectId != ''),
            (('activity.target.type', CAST(TargetType, 'String')), TargetType != ''),
            (('activity.target.id', TargetId), TargetId != ''),
            (('activity.outcome', CAST(Outcome, 'String')), Outcome != 'success'),
            (('activity.count', toString(EventCount)), EventCount != 1),
            (('error.type', CAST(ErrorType, 'String')), ErrorType != ''),
            (('activity.duration', toString(DurationUs / 1000000)), DurationUs != 0),
            (('session.id', SessionId), SessionId != ''),
            (('activity.request.id', RequestId), RequestId != ''),
            (('http.request.method', CAST(HttpMethod, 'String')), HttpMethod != ''),
            (('http.route', CAST(HttpRoute, 'String')), HttpRoute != ''),
            (('http.response.status_code', toString(HttpStatus)), HttpStatus != 0),
            (('url.path', UrlPath), UrlPath != ''),
            (('client.address', ClientAddress), ClientAddress != ''),
            (('user_agent.original', CAST(UserAgent, 'String')), UserAgent != ''),
            (('activity.sample.weight', toString(SampleWeight)), SampleWeight != 1),
            (('activity.sample.rule', CAST(SampleRule, 'String')), SampleRule != ''),
            (('activity.producer', CAST(Producer, 'String')), Producer != ''),
            (('activity.seq', toString(Seq)), Seq != 0)
        ]).1, 'Map(String, String)'),
        CAST(Attributes, 'Map(String, String)')),

    INDEX idx_actor ActorId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_object ObjectId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_target TargetId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_trace TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_request RequestId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_session SessionId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attribute mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_body lower(BodyTemplate) TYPE text(tokenizer = 'splitByNonAlpha')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(Timestamp)
-- Not Timestamp itself: behind the hour it would keep a filter by time from skipping anything.
PRIMARY KEY (toStartOfHour(Timestamp), TenantId, ActorId)
ORDER BY (toStartOfHour(Timestamp), TenantId, ActorId, Timestamp)
-- The window is 0 unless set: a batch that is sent again would count twice.
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;
