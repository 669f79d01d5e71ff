-- title: Size by column
-- answers: Where do the bytes of the store go? Small parts keep their columns together, so they are one line.
-- group: storage
-- kind: ranking
-- x: what
-- y: bytes
-- costs: reads system tables only
-- param table String = activity_events : which table; empty: all
-- param limit UInt64 = 25 : at most this many lines
WITH
    parts AS
    (
        SELECT
            table,
            sum(rows) AS rows,
            sum(bytes_on_disk) AS bytes,
            sum(data_compressed_bytes) AS data,
            sumIf(data_compressed_bytes, part_type = 'Compact') AS small,
            sumIf(data_uncompressed_bytes, part_type = 'Compact') AS small_uncompressed,
            sum(secondary_indices_compressed_bytes) AS indexes,
            sum(secondary_indices_uncompressed_bytes) AS indexes_uncompressed
        FROM system.parts
        WHERE active AND database = currentDatabase() AND ({table:String} = '' OR table = {table:String})
        GROUP BY table
    )
SELECT
    table,
    what,
    bytes,
    ifNotFinite(round(bytes / rows, 3), 0) AS bytes_per_row,
    uncompressed_bytes
FROM
(
    SELECT table, column AS what, sum(column_data_compressed_bytes) AS bytes, sum(column_data_uncompressed_bytes) AS uncompressed_bytes
    FROM system.parts_columns
    WHERE active AND database = currentDatabase() AND ({table:String} = '' OR table = {table:String}) AND part_type != 'Compact'
    GROUP BY table, what
    UNION ALL
    SELECT table, '(columns of small parts)', small, small_uncompressed FROM parts
    UNION ALL
    SELECT table, '(indexes)', indexes, indexes_uncompressed FROM parts
    UNION ALL
    SELECT table, '(marks, keys and descriptions)', toUInt64(bytes - data - indexes), 0 FROM parts
) AS lines
INNER JOIN (SELECT table, rows FROM parts) AS counted USING (table)
WHERE bytes > 0
ORDER BY bytes DESC, table, what
LIMIT {limit:UInt64}
