"""The database of labels on a PostgreSQL server, for several servers of alkit and teams beyond one machine.

Tables and statements are those of SQLite, translated (`schema`, `connect`). What differs:

- Where SQLite has one writer at a time, transactions take advisory locks of the project (`locks`). Events are recorded
  by one at a time, so that they are numbered without gaps, in the order in which they become visible. Items are handed
  out beside that, with ``FOR UPDATE SKIP LOCKED``.
- Several sessions may be at work, and one of them trains the model. Advisory locks tell that, too; the server frees
  them however a process ends.
- Connections may be lost, and are opened again (`engine`).

psycopg is imported only once a database is opened.
"""
