-- The record. Written by the persister only; everybody else reads.
-- Ids are compared byte for byte, as Redis compares them (utf8mb4_bin).
-- All times are UTC. Works on MySQL 8/9 and MariaDB 10.11.

CREATE TABLE IF NOT EXISTS purchases (
  id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  ticket_name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  quantity     INT UNSIGNED NOT NULL,
  booking_id   VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  UNIQUE KEY uk_user_ticket (user_id, ticket_name),
  KEY ix_ticket (ticket_name, created_at)
) ENGINE=InnoDB;

-- the definition of each ticket; never deleted, state 'deleted' is a tombstone
CREATE TABLE IF NOT EXISTS tickets (
  name         VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  epoch        BIGINT UNSIGNED NOT NULL DEFAULT 0,
  capacity     BIGINT UNSIGNED NOT NULL,
  per_user     INT UNSIGNED NOT NULL,
  lanes        INT UNSIGNED NOT NULL,
  state        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  opens_at     DATETIME(3) NULL,
  closes_at    DATETIME(3) NULL,
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB;

-- how far each lane is stored; the fence of every transaction
CREATE TABLE IF NOT EXISTS lane_progress (
  ticket_name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  lane         INT UNSIGNED NOT NULL,
  epoch        BIGINT UNSIGNED NOT NULL,
  applied_seq  BIGINT UNSIGNED NOT NULL DEFAULT 0,
  sealed       TINYINT UNSIGNED NOT NULL DEFAULT 0,
  updated_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (ticket_name, lane, epoch)
) ENGINE=InnoDB;

-- numbers a drain passed over
CREATE TABLE IF NOT EXISTS lane_skipped (
  ticket_name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  lane         INT UNSIGNED NOT NULL,
  epoch        BIGINT UNSIGNED NOT NULL,
  seq          BIGINT UNSIGNED NOT NULL,
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (ticket_name, lane, epoch, seq)
) ENGINE=InnoDB;

-- events MySQL refused for good
CREATE TABLE IF NOT EXISTS dead_letters (
  id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  event_id     VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  ticket_name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  lane         INT UNSIGNED NOT NULL,
  user_id      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  booking_id   VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  event        MEDIUMBLOB NOT NULL,
  origin       VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  error        VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  settled_at   DATETIME(3) NULL,
  UNIQUE KEY uk_event (event_id),
  KEY ix_state (state, id),
  KEY ix_ticket (ticket_name, user_id)
) ENGINE=InnoDB;

-- confirmed in a past epoch and not drained; outcome NULL = still to be settled
CREATE TABLE IF NOT EXISTS late_events (
  event_id     VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  ticket_name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  user_id      VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  booking_id   VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  event        MEDIUMBLOB NOT NULL,
  outcome      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  settled_at   DATETIME(3) NULL,
  KEY ix_open (outcome, ticket_name)
) ENGINE=InnoDB;

-- bookings whose cancel was seen before them
CREATE TABLE IF NOT EXISTS void_bookings (
  booking_id   VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB;

-- what reconcile and recovery found, for whoever has to explain it
CREATE TABLE IF NOT EXISTS reconcile_log (
  id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ticket_name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  what         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail       TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  KEY ix_ticket (ticket_name, id)
) ENGINE=InnoDB;
