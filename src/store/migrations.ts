import { REPORTS } from "./reports.ts";
import { TALLY_SCHEMA } from "./tally-schema.ts";

/**
 * The schema, as the steps that led to it: a database is at version n when the first n steps have been applied.
 * `minReader` is the oldest version that can still work on a database after the step; a roll-out that stops half-way
 * needs each version to be readable by the one before it.
 */
export interface Migration {
  readonly minReader: number;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    minReader: 1,
    sql: `
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- What changes while a job lives: small, since each change writes the row anew. The number of a forgotten job is not
-- given again: others may still name it.
CREATE TABLE jobs(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  phase TEXT NOT NULL,
  definition TEXT,
  run_id TEXT,
  owner TEXT,
  priority INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  destruction INTEGER,
  destruction_kept INTEGER NOT NULL DEFAULT 0,
  execution_duration INTEGER NOT NULL DEFAULT 0,
  running_ms INTEGER NOT NULL DEFAULT 0,
  available_at INTEGER,
  delayed_by_user INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER,
  waiting INTEGER NOT NULL DEFAULT 0,
  dedupe_key TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  receipt TEXT,
  abort_by TEXT,
  verdict TEXT,
  error TEXT,
  buried_at INTEGER,
  progress REAL,
  progress_message TEXT,
  retry_of TEXT,
  retried_as TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_id ON jobs(id);
CREATE INDEX jobs_created ON jobs(created_at);
CREATE INDEX jobs_phase ON jobs(phase, created_at);
CREATE INDEX jobs_owner ON jobs(owner, created_at) WHERE owner IS NOT NULL;
CREATE INDEX jobs_ready ON jobs(priority DESC, seq) WHERE phase = 'QUEUED' AND available_at IS NULL AND waiting = 0;
CREATE INDEX jobs_delayed ON jobs(available_at) WHERE available_at IS NOT NULL;
CREATE INDEX jobs_expiry ON jobs(expires_at) WHERE expires_at IS NOT NULL AND phase = 'QUEUED';
CREATE INDEX jobs_suspect ON jobs(seq) WHERE phase = 'QUEUED' AND lost >= 2;
CREATE INDEX jobs_destruction ON jobs(destruction) WHERE destruction IS NOT NULL;
CREATE INDEX jobs_dedupe ON jobs(dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX jobs_dead ON jobs(buried_at) WHERE buried_at IS NOT NULL;

-- Where and under which limits commands were submitted: one row for all jobs of the same. No id is given twice, since
-- workers remember what they have read.
CREATE TABLE contexts(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uses INTEGER NOT NULL,
  content TEXT NOT NULL UNIQUE
) STRICT;

-- What a job was asked to do: written once.
CREATE TABLE inputs(
  job INTEGER PRIMARY KEY REFERENCES jobs(seq) ON DELETE CASCADE,
  context INTEGER NOT NULL REFERENCES contexts(id),
  command TEXT,
  parameters TEXT,
  attributes TEXT,
  body BLOB
) STRICT;

CREATE TABLE dependencies(
  job INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE,
  after INTEGER NOT NULL,
  met INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(job, after)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_after ON dependencies(after) WHERE met = 0;

CREATE TABLE attempts(
  job INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  worker TEXT NOT NULL,
  directory TEXT NOT NULL,
  message_id TEXT NOT NULL,
  receive_count INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  command TEXT,
  cwd TEXT,
  pid INTEGER,
  ending TEXT,
  exit_code INTEGER,
  signal TEXT,
  cause TEXT,
  detail TEXT,
  user_us INTEGER,
  system_us INTEGER,
  peak_bytes INTEGER,
  verdict TEXT,
  settled_as TEXT,
  ended_by TEXT,
  PRIMARY KEY(job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE outputs(
  job INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  stream TEXT NOT NULL,
  size INTEGER NOT NULL,
  path TEXT,
  content BLOB,
  PRIMARY KEY(job, attempt, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE results(
  job INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER NOT NULL,
  path TEXT,
  content BLOB,
  PRIMARY KEY(job, id)
) STRICT, WITHOUT ROWID;

-- What was decided beside the starts and ends of attempts, which are rows of their own.
CREATE TABLE decisions(
  number INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  what TEXT NOT NULL,
  by TEXT NOT NULL,
  why TEXT
) STRICT;
CREATE INDEX decisions_job ON decisions(job);

CREATE TABLE workers(
  id TEXT PRIMARY KEY,
  directory TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  pid_namespace TEXT NOT NULL,
  version TEXT NOT NULL,
  concurrency INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A job that was forgotten: what a queue may still deliver of it is answered by its verdict.
CREATE TABLE tombstones(
  id TEXT PRIMARY KEY,
  message_id TEXT,
  phase TEXT NOT NULL,
  verdict TEXT,
  forgotten_at INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_until ON tombstones(until);

-- Directories of forgotten jobs that are still to be removed.
CREATE TABLE removals(path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`,
  },
  {
    // An earlier version writes none of these columns, and finds what it knows where it was.
    minReader: 1,
    sql: `
ALTER TABLE jobs ADD COLUMN suspend_by TEXT;
ALTER TABLE jobs ADD COLUMN owed INTEGER;
ALTER TABLE jobs ADD COLUMN held_by TEXT;

-- The exit handler as it was when the attempt began, and what it did.
ALTER TABLE attempts ADD COLUMN exit_handler TEXT;
ALTER TABLE attempts ADD COLUMN cleanup TEXT;
ALTER TABLE attempts ADD COLUMN cleanup_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN cleanup_exit_code INTEGER;
ALTER TABLE attempts ADD COLUMN cleanup_signal TEXT;
ALTER TABLE attempts ADD COLUMN cleanup_ms INTEGER;
ALTER TABLE attempts ADD COLUMN cleanup_pending TEXT;
ALTER TABLE attempts ADD COLUMN cleanup_place TEXT;

-- How long the attempt stood still, and since when it does.
ALTER TABLE attempts ADD COLUMN suspended_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN suspended_at INTEGER;

-- The bytes that were not kept, from one offset up to another, and when the others were written.
ALTER TABLE outputs ADD COLUMN left_from INTEGER;
ALTER TABLE outputs ADD COLUMN left_to INTEGER;
ALTER TABLE outputs ADD COLUMN times_path TEXT;
ALTER TABLE outputs ADD COLUMN times BLOB;

-- Of a job that came as a message of a queue elsewhere: that queue's URL, the message, and whether the dead letters have
-- a copy of it. It waits for a delivery (so waiting is 1), and no worker of the store's own queue may take it.
ALTER TABLE jobs ADD COLUMN queue TEXT;
ALTER TABLE jobs ADD COLUMN message_id TEXT;
ALTER TABLE jobs ADD COLUMN copied INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_message ON jobs(message_id) WHERE message_id IS NOT NULL;
ALTER TABLE tombstones ADD COLUMN copied INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tombstones_message ON tombstones(message_id) WHERE message_id IS NOT NULL;

-- Where a body is that is too large for the row, and its size in bytes. More than one job may have the same file.
ALTER TABLE inputs ADD COLUMN body_path TEXT;
ALTER TABLE inputs ADD COLUMN body_size INTEGER;
CREATE INDEX inputs_body_path ON inputs(body_path) WHERE body_path IS NOT NULL;

-- What keeps a worker from its queue, in words; null: it is well.
ALTER TABLE workers ADD COLUMN trouble TEXT;

-- The newest receipt of a message that is being run, for the worker that runs it.
CREATE TABLE newer_receipts(
  job INTEGER PRIMARY KEY REFERENCES jobs(seq) ON DELETE CASCADE,
  receipt TEXT NOT NULL,
  receive_count INTEGER NOT NULL,
  is_last INTEGER NOT NULL,
  worker TEXT NOT NULL
) STRICT;
`,
  },
  {
    // An earlier version does not look there, and keeps it in order all the same.
    minReader: 1,
    sql: `
CREATE INDEX jobs_definition ON jobs(coalesce(definition, ''), created_at);
CREATE INDEX jobs_owner_open ON jobs(owner)
  WHERE owner IS NOT NULL AND phase NOT IN ('COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED');
`,
  },
  {
    // An earlier version fires the triggers, and reads none of it.
    minReader: 1,
    sql: TALLY_SCHEMA,
  },
  REPORTS,
];
