-- Waiting rooms as they were last seen in Redis, and what the database can do.
-- Redis is the truth of a room while it has it; from here it is put back.

-- Never deleted: state 'deleted' is a tombstone.  `revision` rises with every
-- write and is its fence: who read an older one writes nothing.  Times of Redis
-- are in ms, numbers of entries in the units Redis has them.
CREATE TABLE IF NOT EXISTS queues (
  name         VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  capacity     BIGINT UNSIGNED NOT NULL,
  rate         BIGINT UNSIGNED NULL,
  share        TINYINT UNSIGNED NULL,
  pass_ttl     BIGINT UNSIGNED NOT NULL,
  state        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tickets      TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  max_lag      BIGINT UNSIGNED NOT NULL,
  opens_at     DATETIME(3) NULL,
  draw         TINYINT UNSIGNED NOT NULL,
  seed         VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  draw_hash    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  origin       BIGINT UNSIGNED NOT NULL,
  drawn        BIGINT UNSIGNED NOT NULL,
  changed_by   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  changed_at   DATETIME(3) NULL,
  revision     BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB;

-- what `ticket-persister benchmark` measured: the newest row counts
CREATE TABLE IF NOT EXISTS benchmarks (
  id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  rows_per_s   BIGINT UNSIGNED NOT NULL,
  one_lane     BIGINT UNSIGNED NOT NULL,
  all_workers  BIGINT UNSIGNED NOT NULL,
  workers      INT UNSIGNED NOT NULL,
  measured_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB;
