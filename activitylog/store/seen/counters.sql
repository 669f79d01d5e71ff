-- What processes counted before sampling, by event: exact, and the only trace of events that a rule drops.
SELECT
    CAST(EventName, 'String') AS event,
    toUInt64(sum(EventCount)) AS counted,
    toUInt64(sum(Dropped)) AS not_kept
FROM activity_totals
WHERE Minute >= {since:DateTime64(9, 'UTC')} AND Minute < {until:DateTime64(9, 'UTC')}
    AND EventName != ''
GROUP BY event
ORDER BY counted DESC, event
LIMIT {limit:UInt64}
