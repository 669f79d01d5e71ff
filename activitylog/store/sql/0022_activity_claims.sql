-- Who does what only one may do at a time, and what they have begun: a row each time that somebody takes, renews or
-- gives back a claim. The row with the highest number is what holds. A number can be written once: it is the token
-- of its insert, which the window remembers. A few rows a repair; none is ever changed or deleted.
CREATE TABLE IF NOT EXISTS activity_claims
(
    Name LowCardinality(String),
    Number UInt64,
    -- a random text for each time that it is taken, and the process, for people
    Holder String,
    Who String,
    -- when this row was written, by the server's clock, and how long it holds; 0: given back
    At DateTime64(3, 'UTC') DEFAULT now64(3),
    Seconds Float64,
    -- what was begun and not found right since: roll-up, day, rows of that day. Goes from row to row, whoever holds
    Begun Array(Tuple(String, Date, UInt64))
)
ENGINE = MergeTree
ORDER BY (Name, Number)
SETTINGS non_replicated_deduplication_window = 10000;
