"""The tables of a labelling database, and the steps that bring an older database up to date."""

from __future__ import annotations

import sqlite3

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

    -- id: place in a random order drawn once, so that the lowest id still open is a uniform draw
    CREATE TABLE item (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        position INTEGER NOT NULL,
        content TEXT NOT NULL
    );

    -- what an item still needs; apart from its content, because it changes with every label
    CREATE TABLE queue (
        item INTEGER PRIMARY KEY REFERENCES item,
        n_labels INTEGER NOT NULL DEFAULT 0,
        wanted INTEGER NOT NULL
    );
    CREATE INDEX queue_fresh ON queue (item) WHERE wanted > 0 AND n_labels = 0;
    CREATE INDEX queue_begun ON queue (item) WHERE wanted > 0 AND n_labels > 0;
    CREATE INDEX queue_closed ON queue (item) WHERE wanted = 0;

    -- every event that was recorded; all other tables about labels follow from it
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        item INTEGER NOT NULL REFERENCES item,
        annotator TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('label', 'skip', 'flag', 'undo')),
        value TEXT,
        seconds REAL,
        late INTEGER NOT NULL,
        recorded REAL NOT NULL,
        source TEXT,
        probability REAL,
        model_version INTEGER,
        prediction TEXT,
        confidence REAL
    );
    CREATE INDEX event_item ON event (item, annotator);
    CREATE INDEX event_undo ON event (value) WHERE kind = 'undo';
    CREATE INDEX event_curve ON event (seq) WHERE kind = 'label' AND source = 'random' AND prediction IS NOT NULL;
    CREATE TRIGGER event_kept BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
    CREATE TRIGGER event_fixed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

    -- the last event of an annotator on an item that was not undone
    CREATE TABLE answer (
        item INTEGER NOT NULL,
        annotator TEXT NOT NULL,
        kind TEXT NOT NULL,
        value TEXT,
        event INTEGER NOT NULL REFERENCES event,
        PRIMARY KEY (item, annotator)
    ) WITHOUT ROWID;
    CREATE INDEX answer_value ON answer (kind, value);
    CREATE INDEX answer_annotator ON answer (annotator, kind);

    -- which item an annotator was given, why, and the prediction of the model; expires is NULL once answered
    CREATE TABLE lease (
        item INTEGER NOT NULL REFERENCES item,
        annotator TEXT NOT NULL,
        granted REAL NOT NULL,
        expires REAL,
        source TEXT NOT NULL,
        probability REAL,
        model_version INTEGER,
        prediction TEXT,
        confidence REAL,
        PRIMARY KEY (item, annotator)
    ) WITHOUT ROWID;
    CREATE INDEX lease_live ON lease (expires) WHERE expires IS NOT NULL;

    -- rankings that are complete; the last one is used
    CREATE TABLE model (version INTEGER PRIMARY KEY, n_labels INTEGER NOT NULL, finished REAL NOT NULL);

    -- position is NULL for items that are predicted, but not ranked: they may be drawn at random
    CREATE TABLE ranking (
        model_version INTEGER NOT NULL,
        item INTEGER NOT NULL,
        position INTEGER,
        utility REAL,
        prediction TEXT,
        confidence REAL,
        PRIMARY KEY (model_version, item)
    ) WITHOUT ROWID;
    CREATE INDEX ranking_order ON ranking (model_version, position) WHERE position IS NOT NULL;

    -- hashes of tokens; the owner has no name
    CREATE TABLE annotator (token_hash TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
    """,
    """
    -- asked: labels that the trainer wants of an item whose answer is not sure; NULL: as many as of every item
    ALTER TABLE queue ADD COLUMN asked INTEGER;
    CREATE INDEX queue_asked ON queue (item) WHERE asked IS NOT NULL;

    -- whom to ask about which items, the best first; belongs to the ranking of the same version
    CREATE TABLE assignment (
        model_version INTEGER NOT NULL,
        annotator TEXT NOT NULL,
        position INTEGER NOT NULL,
        item INTEGER NOT NULL,
        PRIMARY KEY (model_version, annotator, position)
    ) WITHOUT ROWID;
    """,
    """
    -- version: how often the content has changed; an item that the data no longer has is not in the queue, and its
    -- position is -1
    ALTER TABLE item ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE earlier_content (
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        content TEXT NOT NULL,
        replaced REAL NOT NULL,
        PRIMARY KEY (key, version)
    ) WITHOUT ROWID;
    -- the version that the annotator was shown; NULL is 0
    ALTER TABLE event ADD COLUMN version INTEGER;

    -- every change of the classes; last_event: the last event before it, which has the earlier name
    CREATE TABLE class_change (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('add', 'rename', 'merge')),
        name TEXT NOT NULL,
        present TEXT NOT NULL,
        last_event INTEGER NOT NULL,
        recorded REAL NOT NULL
    );
    CREATE TRIGGER class_change_kept BEFORE DELETE ON class_change
    BEGIN SELECT RAISE(ABORT, 'changes of classes are never deleted'); END;
    CREATE TRIGGER class_change_fixed BEFORE UPDATE ON class_change
    BEGIN SELECT RAISE(ABORT, 'changes of classes are never changed'); END;

    -- every note; the last one of an annotator on an item counts, and an empty one takes it back
    CREATE TABLE note (
        seq INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        item INTEGER NOT NULL REFERENCES item,
        annotator TEXT NOT NULL,
        value TEXT NOT NULL,
        recorded REAL NOT NULL
    );
    CREATE INDEX note_item ON note (item, annotator);
    CREATE TRIGGER note_kept BEFORE DELETE ON note BEGIN SELECT RAISE(ABORT, 'notes are never deleted'); END;
    CREATE TRIGGER note_fixed BEFORE UPDATE ON note BEGIN SELECT RAISE(ABORT, 'notes are never changed'); END;

    -- an annotator's answers, the latest first
    CREATE INDEX answer_latest ON answer (annotator, event);
    """,
    """
    -- where the picture of an item is, for exports; by its key, because the id of an item may change
    CREATE TABLE picture (key TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    -- every decision of the owner about an item; the last one that was not undone counts. version: of the item;
    -- last_event: the last event on it that the owner had seen; asked: labels that it is to have from then on;
    -- n_changes: how often classes had changed, which says what the value is called now
    CREATE TABLE decision (
        seq INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        item INTEGER NOT NULL REFERENCES item,
        kind TEXT NOT NULL CHECK (kind IN ('label', 'exclude', 'reopen', 'undo')),
        value TEXT,
        note TEXT,
        version INTEGER NOT NULL,
        last_event INTEGER NOT NULL,
        asked INTEGER,
        n_changes INTEGER NOT NULL,
        recorded REAL NOT NULL
    );
    CREATE INDEX decision_item ON decision (item);
    CREATE TRIGGER decision_kept BEFORE DELETE ON decision
    BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
    CREATE TRIGGER decision_fixed BEFORE UPDATE ON decision
    BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;

    -- the decision about an item that counts
    CREATE TABLE decided (
        item INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        value TEXT,
        last_event INTEGER NOT NULL,
        asked INTEGER,
        decision INTEGER NOT NULL REFERENCES decision
    );

    -- items whose answer is known, by which people are tested; by key, because the id of an item may change
    CREATE TABLE gold (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
)


def needs_upgrade(db: sqlite3.Connection, path: object) -> bool:
    """Return whether a database has tables of an older alkit, or none yet.

    Parameters
    ----------
    db : Connection
    path : str or Path
        For error messages.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If it is not a labelling database, or one of a newer alkit.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    # Others number their tables by user_version, too.
    if (version or tables) and not tables >= {"meta", "item", "event"}:
        raise ValueError(f"{path} is a database, but not one of alkit's labelling; pass another path")
    if version > len(MIGRATIONS):
        raise ValueError(
            f"{path} has schema version {version}, but this alkit knows versions up to {len(MIGRATIONS)}; upgrade alkit"
        )
    return version < len(MIGRATIONS)


def upgrade(db: sqlite3.Connection, path: object) -> None:
    """Bring a database up to date; each step is done completely or not at all.

    Parameters
    ----------
    db : Connection
        In autocommit mode.
    path : str or Path
        For error messages.

    Raises
    ------
    ValueError
        If it is not a labelling database, or one of a newer alkit; nothing is changed then.
    """
    if not needs_upgrade(db, path):
        return
    (version,) = db.execute("PRAGMA user_version").fetchone()
    for step, script in enumerate(MIGRATIONS[version:], version + 1):
        try:
            db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {step}; COMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
