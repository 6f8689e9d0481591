/**
 * What is counted as it changes, so that nobody has to walk through a million jobs to tell how many there are. Triggers
 * count what any version writes.
 */
export const TALLY_SCHEMA = `
-- The jobs that there are. Those without a definition have the empty name, and so has who owns those of nobody.
CREATE TABLE job_counts(
  definition TEXT NOT NULL,
  phase TEXT NOT NULL,
  owner TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY(definition, phase, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_counts_owner ON job_counts(owner);
INSERT INTO job_counts SELECT coalesce(definition, ''), phase, coalesce(owner, ''), count(*) FROM jobs GROUP BY 1, 2, 3;

CREATE TRIGGER jobs_made AFTER INSERT ON jobs BEGIN
  INSERT INTO job_counts VALUES(coalesce(NEW.definition, ''), NEW.phase, coalesce(NEW.owner, ''), 1)
    ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER jobs_changed AFTER UPDATE OF phase ON jobs WHEN NEW.phase <> OLD.phase BEGIN
  UPDATE job_counts SET jobs = jobs - 1
    WHERE definition = coalesce(OLD.definition, '') AND phase = OLD.phase AND owner = coalesce(OLD.owner, '');
  INSERT INTO job_counts VALUES(coalesce(NEW.definition, ''), NEW.phase, coalesce(NEW.owner, ''), 1)
    ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER jobs_removed AFTER DELETE ON jobs BEGIN
  UPDATE job_counts SET jobs = jobs - 1
    WHERE definition = coalesce(OLD.definition, '') AND phase = OLD.phase AND owner = coalesce(OLD.owner, '');
END;

-- The attempts that have ended since this was begun, and how long they ran: limit_ms is the first of the histogram's
-- limits that they kept, -1 where they kept none.
CREATE TABLE attempt_counts(
  definition TEXT NOT NULL,
  ending TEXT NOT NULL,
  cause TEXT NOT NULL,
  phase TEXT NOT NULL,
  limit_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  ms INTEGER NOT NULL,
  PRIMARY KEY(definition, ending, cause, phase, limit_ms)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempts_ended AFTER UPDATE OF ended_at ON attempts
    WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL BEGIN
  INSERT INTO attempt_counts
    SELECT coalesce(definition, ''), coalesce(NEW.ending, 'not started'), coalesce(NEW.cause, ''),
      coalesce(NEW.settled_as, ''),
      CASE WHEN ms <= 100 THEN 100 WHEN ms <= 500 THEN 500 WHEN ms <= 1000 THEN 1000 WHEN ms <= 5000 THEN 5000
        WHEN ms <= 10000 THEN 10000 WHEN ms <= 30000 THEN 30000 WHEN ms <= 60000 THEN 60000
        WHEN ms <= 300000 THEN 300000 WHEN ms <= 600000 THEN 600000 WHEN ms <= 1800000 THEN 1800000
        WHEN ms <= 3600000 THEN 3600000 WHEN ms <= 14400000 THEN 14400000 WHEN ms <= 86400000 THEN 86400000
        ELSE -1 END,
      1, ms
    FROM (SELECT definition, max(0, NEW.ended_at - NEW.started_at - NEW.suspended_ms) AS ms
      FROM jobs WHERE seq = NEW.job)
    WHERE true
    ON CONFLICT DO UPDATE SET attempts = attempts + 1, ms = ms + excluded.ms;
END;

-- How long the jobs of a definition take that complete: a mean in which the last twenty or so weigh most.
CREATE TABLE paces(definition TEXT PRIMARY KEY, jobs INTEGER NOT NULL, ms REAL NOT NULL) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempts_completed AFTER UPDATE OF ended_at ON attempts
    WHEN OLD.ended_at IS NULL AND NEW.settled_as = 'COMPLETED' BEGIN
  INSERT INTO paces
    SELECT definition, 1, max(0, NEW.ended_at - NEW.started_at - NEW.suspended_ms)
      FROM jobs WHERE seq = NEW.job AND definition <> ''
    ON CONFLICT DO UPDATE SET jobs = jobs + 1, ms = ms + (excluded.ms - ms) / min(jobs + 1, 20);
END;

-- What became of the leases of messages, by their queue.
CREATE TABLE lease_counts(
  queue TEXT PRIMARY KEY,
  beats_missed INTEGER NOT NULL DEFAULT 0,
  leases_lost INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- When a queue elsewhere last answered it; null: it has none, or none did yet.
ALTER TABLE workers ADD COLUMN polled_at INTEGER;
`;
