-- The Collector's exporter looks for the column EventName once, when it starts. If ClickHouse is away at that moment it
-- writes without the column until it is restarted, and events would be stored without their names. So an insert that
-- lacks the column takes the name from an attribute: activity.event.name, which collector-config/gateway.yaml copies it
-- to (also an empty one), or event.name, as older producers have it. Without either it is refused, and stays in the
-- Collector's queue.
ALTER TABLE activity_events_ingest MODIFY COLUMN EventName String DEFAULT if(
    throwIf(
        NOT mapContains(LogAttributes, 'activity.event.name') AND LogAttributes['event.name'] = '',
        'No EventName: this Collector began while ClickHouse was away, or is older than the column. Restart it.') = 0,
    if(LogAttributes['activity.event.name'] = '', LogAttributes['event.name'], LogAttributes['activity.event.name']),
    '');
