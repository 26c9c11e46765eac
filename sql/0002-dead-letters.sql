-- What the DLQ topic has: published_at NULL = not yet.
-- MySQL knows no ADD COLUMN IF NOT EXISTS, and this may have to run twice.

SET @add = (SELECT IF(COUNT(*) = 0,
    'ALTER TABLE dead_letters ADD COLUMN published_at DATETIME(3) NULL, ADD KEY ix_published (published_at, id)',
    'DO 0')
  FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = 'dead_letters' AND column_name = 'published_at');
PREPARE add_column FROM @add;
EXECUTE add_column;
DEALLOCATE PREPARE add_column;
