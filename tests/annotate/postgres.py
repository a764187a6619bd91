"""A PostgreSQL server of its own for tests: Debian's, in a temporary folder, reached by a socket in it."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import psycopg

DEBIAN = "/usr/lib/postgresql/*/bin"
_UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root
_WAIT_SECONDS = 60


class Cluster:
    """A server that is started at once, and whose folder is removed with it.

    `url()` names another project each time.
    """

    def __init__(self, *settings, on_disk=False):
        parent = "/dev/shm" if not on_disk and memory_is_free() else "/tmp"  # the path of a socket has to be short
        self.folder = Path(mkdtemp(prefix="alkit-", dir=parent))
        self.settings, self.process = settings, None
        self._numbers = count()
        self._as_user = {} if os.getuid() else {"user": unprivileged()}
        if self._as_user:
            shutil.chown(self.folder, self._as_user["user"])
        try:
            self._run("initdb", "-A", "trust", "-U", "alkit", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D", "data")
            self.start()
        except BaseException:
            self.remove()
            raise

    def _run(self, name, *arguments):
        done = subprocess.run(
            [program(name), *arguments], cwd=self.folder, capture_output=True, text=True, **self._as_user
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def start(self):
        """Start the server, and wait until it answers."""
        given = [word for setting in self.settings for word in ("-c", setting)]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", "data", "-k", self.folder, "-c", "listen_addresses=", *given],
                cwd=self.folder, stdout=log, stderr=log, **self._as_user,
            )  # fmt: skip
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                psycopg.connect(self.conninfo()).close()
                return
            except psycopg.OperationalError:
                running = self.process.poll() is None and time.monotonic() < until
                assert running, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        """End the server: SIGINT disconnects everybody, SIGQUIT is as a crash."""
        self.process.send_signal(how)
        self.process.wait(_WAIT_SECONDS)

    def remove(self):
        """End the server, and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def conninfo(self):
        return f"postgresql://alkit@/postgres?host={self.folder}"

    def url(self):
        """Return the address of a project that does not exist yet."""
        return f"{self.conninfo()}&schema=project{next(self._numbers)}"


def memory_is_free():
    """Return whether a cluster fits into the file system in memory, where files are made and removed faster."""
    return os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2**30


def program(name):
    """Return the path of a program of PostgreSQL, None where there is none."""
    folders = sorted(Path("/").glob(DEBIAN[1:]), reverse=True)
    found = [shutil.which(name, path=folder) for folder in folders]
    return next(filter(None, found), shutil.which(name))


def unprivileged():
    """Return a user that root may run a server as, None where there is none."""
    known = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in _UNPRIVILEGED if name in known), None)


def reason_to_skip():
    """Return why no server can be started here, None where one can."""
    if os.name != "posix":
        return "a PostgreSQL server is started on POSIX systems only"
    missing = [name for name in ("initdb", "postgres") if program(name) is None]
    if missing:
        return f"PostgreSQL is not installed: there is no {missing[0]}"
    if os.getuid() == 0 and unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as"
    return None
