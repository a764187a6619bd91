"""The tables of a project on PostgreSQL: those of `alkit.annotate.database.schema`, translated."""

from __future__ import annotations

import re
import sqlite3

from alkit.annotate.database import schema
from alkit.annotate.database.postgres.url import PostgresUrl

# Of what SQLite does not check, references are left out: both kinds of database take the same rows.
_TRANSLATIONS = (
    (r"--[^\n]*", ""),
    (r"\)\s*WITHOUT ROWID", ")"),
    (r"\s+REFERENCES \w+", ""),
    (r"\bREAL\b", "DOUBLE PRECISION"),
    (r"\bINTEGER\b", "BIGINT"),
    (r"(CREATE TABLE meta \(key TEXT PRIMARY KEY, value)\)", r"\1 TEXT)"),
    (r"\bTEXT\b", 'TEXT COLLATE "C"'),  # ordered by bytes, as SQLite does
    (
        r"CREATE TRIGGER (\w+) BEFORE (DELETE|UPDATE) ON (\w+)\s+BEGIN SELECT RAISE\(ABORT, ('[^']*')\); END",
        r"CREATE TRIGGER \1 BEFORE \2 ON \3 FOR EACH ROW EXECUTE FUNCTION refuse(\4)",
    ),
)
_NUMBERED = re.compile(r"CREATE TABLE (\w+) \(\s*seq BIGINT PRIMARY KEY")

# Rows are numbered without gaps, as SQLite does; a sequence has gaps after errors.
_OWN = """
    CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.seq IS NULL THEN
                EXECUTE format('SELECT COALESCE(MAX(seq), 0) + 1 FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)
                INTO NEW.seq;
            END IF;
            RETURN NEW;
        END
    $$;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
        END
    $$;
    -- the model as of its last fit
    CREATE TABLE model_file (id BIGINT PRIMARY KEY CHECK (id = 1), content BYTEA NOT NULL);
"""

VERSION_KEY = "schema_version"
"""The setting that SQLite's files have in their header."""

# how many items need a label and have none
_COUNTED = """
    CREATE TABLE fresh (n BIGINT NOT NULL);
    INSERT INTO fresh VALUES (0);
    CREATE FUNCTION count_fresh() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE change BIGINT := 0;
        BEGIN
            IF TG_OP <> 'DELETE' THEN
                change := change + (SELECT COUNT(*) FROM after WHERE wanted > 0 AND n_labels = 0);
            END IF;
            IF TG_OP <> 'INSERT' THEN
                change := change - (SELECT COUNT(*) FROM before WHERE wanted > 0 AND n_labels = 0);
            END IF;
            IF change <> 0 THEN
                UPDATE fresh SET n = n + change;
            END IF;
            RETURN NULL;
        END
    $$;
    CREATE TRIGGER queue_inserted AFTER INSERT ON queue
        REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_fresh();
    CREATE TRIGGER queue_updated AFTER UPDATE ON queue
        REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_fresh();
    CREATE TRIGGER queue_deleted AFTER DELETE ON queue
        REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION count_fresh();
"""
_VERSION = f"SELECT value FROM meta WHERE key = '{VERSION_KEY}'"
_PUT_VERSION = f"INSERT INTO meta VALUES ('{VERSION_KEY}', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


def translated(script: str) -> list[str]:
    """Return the statements of a script in PostgreSQL's SQL.

    Parameters
    ----------
    script : str
        In SQLite's.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from alkit.annotate.database.postgres.schema import translated
    >>> translated("CREATE TABLE a (b INTEGER PRIMARY KEY, c REAL) WITHOUT ROWID;")
    ['CREATE TABLE a (b BIGINT PRIMARY KEY, c DOUBLE PRECISION)']
    """
    for pattern, replacement in _TRANSLATIONS:
        script = re.sub(pattern, replacement, script)
    statements = []
    for statement in filter(None, map(str.strip, script.split(";"))):
        statements.append(statement)
        if numbered := _NUMBERED.match(statement):
            statements.append(
                f"CREATE TRIGGER {numbered[1]}_numbered BEFORE INSERT ON {numbered[1]} "
                "FOR EACH ROW EXECUTE FUNCTION number()"
            )
    return statements


def version_of(db: sqlite3.Connection, url: PostgresUrl) -> int | None:
    """Return how many steps of the tables were done, None where the schema does not exist.

    Parameters
    ----------
    db : Connection
    url : PostgresUrl

    Returns
    -------
    int or None

    Raises
    ------
    ValueError
        If the schema is not one of labelling, or one of a newer alkit.
    """
    if not db.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (url.schema,)).fetchone():
        return None
    found = db.execute("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?)", (url.schema,))
    tables = {name for (name,) in found.fetchall()}
    if not tables:
        return 0
    if not tables >= {"meta", "item", "event"}:
        raise ValueError(f"{url} is a schema, but not one of alkit's labelling; pass another by ?schema=...")
    (version,) = db.execute(_VERSION).fetchone()
    if int(version) > len(schema.MIGRATIONS):
        raise ValueError(
            f"{url} has schema version {version}, but this alkit knows versions up to {len(schema.MIGRATIONS)}; "
            "upgrade alkit"
        )
    return int(version)


def upgrade(db: sqlite3.Connection, url: PostgresUrl) -> bool:
    """Make the tables, or bring them up to date, within a transaction that nobody else is beside.

    Parameters
    ----------
    db : Connection
    url : PostgresUrl

    Returns
    -------
    bool
        Whether there was anything to do.

    Raises
    ------
    ValueError
        As of `version_of`.
    """
    version = version_of(db, url)
    if version == len(schema.MIGRATIONS):
        return False
    if version is None:
        db.execute(f"CREATE SCHEMA {url.schema}")
    if not version:
        db.execute(_OWN)
    for script in schema.MIGRATIONS[version or 0 :]:
        for statement in translated(script):
            db.execute(statement)
    if not version:
        db.execute(_COUNTED)
    db.execute(_PUT_VERSION, (str(len(schema.MIGRATIONS)),))
    return True
