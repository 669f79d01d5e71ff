-- What was erased, without whom: a row when an erasure begins and one when it is finished. The row of the beginning
-- holds a salted digest of the subject, by which an interrupted erasure is recognised when it is run again; it is
-- deleted when the erasure is finished.
CREATE TABLE IF NOT EXISTS activity_erasures
(
    Erasure UUID,
    State LowCardinality(String),
    At DateTime64(3, 'UTC'),
    BegunAt DateTime64(3, 'UTC'),
    Kind LowCardinality(String),
    Mentions LowCardinality(String),
    TableRows Map(LowCardinality(String), UInt64),
    ArchiveFiles UInt64,
    ArchiveRows UInt64,
    Reason String,
    Version LowCardinality(String),
    Salt String,
    Digest String
)
ENGINE = MergeTree
ORDER BY (BegunAt, Erasure, At);
