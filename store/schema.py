"""The schema of memory.db: numbered migrations, only ever appended to; PRAGMA user_version counts those a file has had.

This file does not know how a migration is applied.
"""

MIGRATIONS = (
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, source TEXT NOT NULL, started_at REAL NOT NULL, zone_offset_s INTEGER NOT NULL,
        wanted_fps REAL NOT NULL, heartbeat_at REAL NOT NULL, ended_at REAL, ended_because TEXT
    ) STRICT;
    CREATE TABLE gaps (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions,
        started_at REAL NOT NULL, ended_at REAL NOT NULL, reason TEXT NOT NULL
    ) STRICT;
    CREATE TABLE keyframes (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, captured_at REAL NOT NULL,
        zone_offset_s INTEGER NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, novelty REAL NOT NULL,
        pack INTEGER NOT NULL, offset_bytes INTEGER NOT NULL, length_bytes INTEGER NOT NULL, crc32 INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE transcripts (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, started_at REAL NOT NULL,
        ended_at REAL NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, confidence REAL NOT NULL
    ) STRICT;
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY, asked_at REAL NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
        seen INTEGER NOT NULL, confidence REAL NOT NULL, checkpoint TEXT NOT NULL, keyframe_ids TEXT NOT NULL
    ) STRICT;
    CREATE INDEX sessions_left_open ON sessions (id) WHERE ended_at IS NULL;
    CREATE INDEX gaps_in_time ON gaps (started_at);
    CREATE INDEX keyframes_of_session ON keyframes (session_id);
    CREATE INDEX keyframes_in_pack ON keyframes (pack, offset_bytes);
    CREATE INDEX transcripts_in_time ON transcripts (started_at);
    """,
    """
    ALTER TABLE keyframes ADD COLUMN reduced INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE transcripts ADD COLUMN engine TEXT NOT NULL DEFAULT '';
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'transcripts', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
    );
    INSERT INTO words (words) VALUES ('rebuild');
    CREATE TRIGGER words_come AFTER INSERT ON transcripts BEGIN
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER words_go AFTER DELETE ON transcripts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
    END;
    CREATE TRIGGER words_change AFTER UPDATE OF text ON transcripts BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO words (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TABLE sounds (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, started_at REAL NOT NULL,
        ended_at REAL NOT NULL, zone_offset_s INTEGER NOT NULL, pack INTEGER NOT NULL, offset_bytes INTEGER NOT NULL,
        length_bytes INTEGER NOT NULL, crc32 INTEGER NOT NULL, heard INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE keyframes_read (keyframe_id INTEGER PRIMARY KEY) STRICT;
    CREATE TRIGGER keyframes_go AFTER DELETE ON keyframes BEGIN
        DELETE FROM keyframes_read WHERE keyframe_id = old.id;
    END;
    CREATE TABLE freed (
        folder TEXT NOT NULL, pack INTEGER NOT NULL, offset_bytes INTEGER NOT NULL, length_bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE holds (
        id INTEGER PRIMARY KEY CHECK (id = 1), reason TEXT NOT NULL, since REAL NOT NULL, until REAL
    ) STRICT;
    CREATE INDEX sounds_in_time ON sounds (started_at);
    CREATE INDEX sounds_in_pack ON sounds (pack, offset_bytes);
    CREATE INDEX sounds_unheard ON sounds (started_at) WHERE heard = 0;
    CREATE INDEX gaps_of_session ON gaps (session_id);
    CREATE INDEX keyframes_in_full ON keyframes (id) WHERE reduced = 0;
    """,
    """
    ALTER TABLE keyframes RENAME COLUMN crc32 TO checksum;
    ALTER TABLE sounds RENAME COLUMN crc32 TO checksum;
    DROP INDEX keyframes_of_session;
    DROP INDEX keyframes_in_pack;
    CREATE TABLE keys (file TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE shards (
        id INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL, day INTEGER NOT NULL, rows INTEGER NOT NULL,
        recall_width INTEGER NOT NULL, compressed_width INTEGER NOT NULL, sealed_in INTEGER, UNIQUE (checkpoint, day)
    ) STRICT;
    CREATE TABLE embedded (
        shard INTEGER NOT NULL REFERENCES shards, keyframe_id INTEGER NOT NULL, row INTEGER NOT NULL,
        PRIMARY KEY (shard, keyframe_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE indexes (
        id INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL, kind TEXT NOT NULL, month TEXT NOT NULL,
        quantiser INTEGER, rows INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE pins (
        id INTEGER PRIMARY KEY, started_at REAL NOT NULL, ended_at REAL NOT NULL, made_at REAL NOT NULL
    ) STRICT;
    CREATE TABLE rewrites (file TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE thinned (
        day INTEGER NOT NULL, session_id INTEGER NOT NULL REFERENCES sessions, rung INTEGER NOT NULL,
        PRIMARY KEY (day, session_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER embedded_too_late AFTER INSERT ON embedded
    WHEN NOT EXISTS (SELECT 1 FROM keyframes WHERE id = new.keyframe_id) BEGIN
        INSERT OR IGNORE INTO rewrites VALUES ('embeddings/' || (new.keyframe_id / 86400000000));
    END;
    CREATE INDEX gaps_of_what_is_gone ON gaps (session_id, started_at) WHERE reason IN ('forgotten', 'expired');
    INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
    CREATE INDEX transcripts_by_length ON transcripts (ended_at - started_at);
    CREATE INDEX sounds_by_length ON sounds (ended_at - started_at);
    CREATE TABLE backups (directory TEXT PRIMARY KEY, made_at REAL NOT NULL) STRICT, WITHOUT ROWID;
    """,
)
