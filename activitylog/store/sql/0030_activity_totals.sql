-- Exact totals from before sampling, filters and roll-up: the counters, each once. A Collector delivers at least once;
-- a counter that came twice has the same producer and number. (Without a number nobody knows: all of them count.)
-- A line is a counter of one process for one minute: ask with sum(...) and GROUP BY, and filter by Day or Minute. Reason
-- is empty for events that were kept, else why they were not; Kept and Dropped are EventCount, told apart by it.
CREATE VIEW IF NOT EXISTS activity_totals SQL SECURITY INVOKER AS
SELECT
    toDate(counters.Minute) AS Day,
    counters.Minute AS Minute,
    counters.TenantId AS TenantId,
    counters.EventName AS EventName,
    counters.Outcome AS Outcome,
    counters.Rule AS Rule,
    counters.Reason AS Reason,
    if(Seq = 0 OR Producer = '', sum(counters.EventCount), any(counters.EventCount)) AS EventCount,
    if(Reason = '', EventCount, 0) AS Kept,
    if(Reason = '', 0, EventCount) AS Dropped,
    counters.ServiceName AS ServiceName,
    counters.Producer AS Producer,
    counters.Seq AS Seq
FROM activity_counters AS counters
GROUP BY Minute, TenantId, EventName, Outcome, Rule, Reason, ServiceName, Producer, Seq;
