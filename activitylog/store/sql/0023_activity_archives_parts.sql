-- On replicated tables a partition leaves part by part. Which parts, and of which shard, is noted before the first one
-- goes (Action dropping), so that a run that was killed can be finished.
ALTER TABLE activity_archives
    ADD COLUMN IF NOT EXISTS Shard UInt32,
    ADD COLUMN IF NOT EXISTS Parts Array(String);
