-- How many different actors were there on each day, by tenant and kind of actor, and how much they did. Reads the daily
-- roll-up by actor. Days cannot be added up: an actor of two days is one actor.
CREATE VIEW IF NOT EXISTS activity_actors_by_day SQL SECURITY INVOKER AS
SELECT
    Day,
    TenantId,
    ActorType,
    count() AS Actors,
    sum(Rows) AS RowCount,
    sum(Events) AS EventCount,
    sum(Total) AS Weighted
FROM
(
    SELECT
        daily.Day AS Day,
        daily.TenantId AS TenantId,
        daily.ActorType AS ActorType,
        daily.ActorId AS ActorId,
        sum(daily.RowCount) AS Rows,
        sum(daily.EventCount) AS Events,
        sum(daily.Weighted) AS Total
    FROM activity_events_actor_daily AS daily
    GROUP BY Day, TenantId, ActorType, ActorId
    HAVING Rows > 0
)
GROUP BY Day, TenantId, ActorType;
