"""The address of a project on a PostgreSQL server; printed without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

_SCHEMES = ("postgresql://", "postgres://")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
HOW = "write postgresql://user@host:port/database?schema=project"


def is_url(text: str) -> bool:
    """Return whether a text is meant as an address of PostgreSQL.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return text.lower().startswith(_SCHEMES)


@dataclass(frozen=True)
class PostgresUrl:
    """A project: a schema of a database on a server."""

    schema: str
    """Holds the tables."""
    shown: str
    """The address without the password."""
    options: tuple[tuple[str, str], ...] = field(repr=False)
    """Parameters of libpq; others than those are taken from its environment variables and files."""

    def __str__(self) -> str:
        return self.shown

    @classmethod
    def parse(cls, text: str) -> PostgresUrl:
        """Read an address; no message holds any part of it that may be a password.

        Parameters
        ----------
        text : str
            As libpq takes it, and ``schema=...`` among its parameters (default: alkit).

        Returns
        -------
        PostgresUrl

        Raises
        ------
        ValueError

        Examples
        --------
        >>> from alkit.annotate.database.postgres.url import PostgresUrl
        >>> url = PostgresUrl.parse("postgresql://ann:secret@localhost:5433/labels?sslmode=require&schema=posts")
        >>> url
        PostgresUrl(schema='posts', shown='postgresql://ann@localhost:5433/labels?sslmode=require&schema=posts')
        >>> dict(url.options)["port"], url.schema
        ('5433', 'posts')
        """
        before, at, after = text.rpartition("@")
        user_info = before.partition("://")[2]
        if at and re.search(r"[/?#@\s]", user_info):
            raise ValueError(
                f"the address of the database cannot be read: there is /, ?, #, @ or a space before the last @; {HOW} "
                "with such letters percent-encoded, or leave the password to PGPASSWORD or ~/.pgpass"
            )
        try:
            parts = urlsplit(f"postgresql://{after if at else text.partition('://')[2]}")
            query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            port, host = parts.port, parts.hostname
        except ValueError:
            raise ValueError(f"the address of the database cannot be read; {HOW}") from None
        user, _, password = user_info.partition(":")
        given = {"host": unquote(host or ""), "port": str(port or ""), "dbname": unquote(parts.path[1:])}
        given |= {"user": unquote(user), "password": unquote(password)}
        given |= dict(query)
        schema = given.pop("schema", "alkit")
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"schema={schema!r}; it must be a lower-case letter followed by letters, digits and _")
        options = {name: value for name, value in given.items() if value}
        return cls(schema, _shown(options, schema), tuple(sorted(options.items())))

    def masked(self, message: str) -> str:
        """Return a message of the server or of libpq as one line, without the password.

        Parameters
        ----------
        message : str

        Returns
        -------
        str
        """
        password = dict(self.options).get("password")
        line = " ".join(message.split())
        return line.replace(password, "***") if password else line


def _shown(options: dict[str, Any], schema: str) -> str:
    """Return an address without what is secret in it."""
    left = {name: value for name, value in options.items() if name not in ("password", "sslpassword", "passfile")}
    user, host, port, name = (left.pop(part, "") for part in ("user", "host", "port", "dbname"))
    if host.startswith("/"):  # the folder of a socket
        left, host = {"host": host, **left}, ""
    at = f"{quote(user, safe='')}@" if user else ""
    host = f"[{host}]" if ":" in host else host
    query = urlencode({**left, "schema": schema}, safe="/")
    return f"postgresql://{at}{host}{f':{port}' if port else ''}/{quote(name)}?{query}"
