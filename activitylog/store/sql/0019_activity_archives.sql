-- What was archived, restored and removed, one row each time. The archives themselves are folders of Parquet files;
-- this is how the database knows that there are any.
CREATE TABLE IF NOT EXISTS activity_archives
(
    Time DateTime64(3, 'UTC') DEFAULT now64(3),
    -- begun (files are being written there), archived (the rows left the table), copied (they are in both),
    -- restored (they came back)
    Action LowCardinality(String),
    Partition String,
    -- the folder that was given, and the piece in it
    Folder String,
    Piece String,
    RowCount UInt64,
    Bytes UInt64,
    Checksum String,
    MinTime String,
    MaxTime String
)
ENGINE = MergeTree
ORDER BY (Partition, Time);
