-- Where the statements of an erasure that is going on find whom to erase: a statement that named a person would stay
-- in the list of mutations, on disk. In memory only, and emptied when the erasure is finished.
CREATE TABLE IF NOT EXISTS activity_erasing
(
    Run UUID,
    Name String,
    Value String,
    At DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = Memory;
