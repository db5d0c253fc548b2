# SPDX-License-Identifier: MIT
"""Transactions over files and databases: several things change together, or not at all.

    import ktm

    with ktm.transaction() as t:
        t.put("/etc/app/app.conf", text)
        t.delete("/etc/app/old.conf")
        t.sqlite("/srv/app/app.db").execute("UPDATE settings SET value = ? WHERE name = ?", (2, "v"))
        t.postgres("service=shop").execute("UPDATE stock SET amount = amount - $1", (1,))
        t.mariadb("books", defaults_file="/etc/app/my.cnf").execute("INSERT INTO sales VALUES (?)", (1,))

The block commits at its end and is durable then; an exception in it rolls everything back and goes
on. What is refused raises ktm.Error, with the status and a sentence that says what happened, to
which object, and what to do. Passwords are in no exception.

What a crash has left is finished when files, or that database, are used again for the first time. A
program that makes many transactions keeps the home open, and with it the connections:

    with ktm.Home() as home:
        with home.transaction() as t:
            …

This module speaks to libktm.so through ctypes and needs nothing but Python 3.7; the databases take
libktm-sqlite.so, libktm-postgres.so, libktm-mariadb.so. Other threads run while a call is under way.
A home is for any thread, a transaction for one at a time.
"""
import ctypes
import os
import weakref

from . import _library
from ._library import POINTER, SIZE, STATUS, TEXT

__all__ = ["Error", "RolledBack", "OutcomeUnknown", "Conflict", "Disconnected", "SqliteError", "Home",
           "Transaction", "transaction", "status_name", "meaning"]

_KEEP = 0xFFFFFFFF
_REPLACE = 1

_UNSUCCESSFUL = 0xC0000001
_NAME_NOT_FOUND = 0xC0000034
_CONFLICT = 0xC0190001
_ALREADY_ABORTED = 0xC0190015
_DISCONNECTED = 0xC0190032
_NOT_ONLINE = 0xC0190052


class Error(OSError):
    """A refusal. status: the NTSTATUS value; name: "STATUS_…"; strerror: a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.strerror = text
        self.status = status & 0xFFFFFFFF
        self.name = status_name(status)


class RolledBack(Error):
    """The transaction was rolled back everywhere: nothing has happened."""


class OutcomeUnknown(Error):
    """It cannot be said whether the transaction was committed; the next start finds out."""


class Conflict(Error):
    """Another transaction was in the way: roll back, and try the whole transaction again."""


class Disconnected(Error):
    """The server cannot be reached, or the connection is lost: roll back; nothing has happened."""


class SqliteError(Error):
    """What SQLite says about a statement; the transaction can go on, or be rolled back."""

    def __init__(self, text):
        super().__init__(_UNSUCCESSFUL, text)


class _Content(ctypes.Structure):
    """struct ktm_file_content"""
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t), ("path", ctypes.c_char_p),
                ("fd", ctypes.c_int), ("read", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class _Info(ctypes.Structure):
    """struct ktm_file_info"""
    _fields_ = [("kind", ctypes.c_int), ("size", ctypes.c_uint64), ("mode", ctypes.c_uint32),
                ("owner", ctypes.c_uint32), ("group", ctypes.c_uint32), ("links", ctypes.c_uint32),
                ("written", ctypes.c_int64)]


_ktm = _library.load("libktm.so.0", {
    "ktm_open": (STATUS, [TEXT, ctypes.POINTER(POINTER)]),
    "ktm_shut": (None, [POINTER]),
    "ktm_begin": (STATUS, [POINTER, ctypes.POINTER(POINTER)]),
    "ktm_commit": (STATUS, [POINTER]),
    "ktm_rollback": (STATUS, [POINTER]),
    "ktm_end": (None, [POINTER]),
    "ktm_transaction": (POINTER, [POINTER]),
    "ktm_error": (SIZE, [POINTER, TEXT, SIZE]),
    "ktm_status_text": (TEXT, [STATUS]),
    "ktm_status_name": (TEXT, [STATUS]),
    "ktm_status_advice": (TEXT, [STATUS]),
    "ktm_files": (STATUS, [POINTER, ctypes.POINTER(POINTER)]),
    "ktm_file_put": (STATUS, [POINTER, TEXT, ctypes.c_uint32, _Content]),
    "ktm_file_append": (STATUS, [POINTER, TEXT, _Content]),
    "ktm_file_delete": (STATUS, [POINTER, TEXT]),
    "ktm_file_mkdir": (STATUS, [POINTER, TEXT, ctypes.c_uint32]),
    "ktm_file_rmdir": (STATUS, [POINTER, TEXT]),
    "ktm_file_rename": (STATUS, [POINTER, TEXT, TEXT, ctypes.c_uint]),
    "ktm_file_symlink": (STATUS, [POINTER, TEXT, TEXT]),
    "ktm_file_chmod": (STATUS, [POINTER, TEXT, ctypes.c_uint32]),
    "ktm_file_tree": (STATUS, [POINTER, TEXT, TEXT]),
    "ktm_file_stat": (STATUS, [POINTER, TEXT, ctypes.POINTER(_Info)]),
    "ktm_file_read": (STATUS, [POINTER, TEXT, ctypes.c_uint64, TEXT, SIZE, ctypes.POINTER(SIZE)]),
    "ktm_file_error": (SIZE, [POINTER, TEXT, SIZE]),
}, "KTM_LIBRARY")


def status_name(status):
    """"STATUS_TRANSACTION_NOT_ACTIVE", or the number of one that has no name."""
    name = _ktm.ktm_status_name(ctypes.c_int32(status & 0xFFFFFFFF).value)
    return name.decode() if name else f"0x{status & 0xFFFFFFFF:08X}"


def _bytes(data):
    return data.encode() if isinstance(data, str) else bytes(data)


def _kind_of(status):
    """Of what was refused before the commit."""
    return {_CONFLICT: Conflict, _DISCONNECTED: Disconnected,
            _ALREADY_ABORTED: RolledBack}.get(status & 0xFFFFFFFF, Error)


def _sentence(function, owner):
    """What a C function of the kind of ktm_error has to say."""
    size = function(owner, None, 0) + 1
    text = ctypes.create_string_buffer(size)
    function(owner, text, size)
    return text.value.decode(errors="replace")


def meaning(status):
    """A sentence that says what a status means."""
    return _ktm.ktm_status_text(ctypes.c_int32(status & 0xFFFFFFFF).value).decode()


class Home:
    """A directory with the logs of what is under way, open; None: the default one. What is opened
    in it stays open from one transaction to the next. Ends as a context manager, or with close()."""

    def __init__(self, path=None):
        self._home = None
        opened = POINTER()
        status = _ktm.ktm_open(_library.path(path) if path else None, ctypes.byref(opened))
        if status != 0:
            raise Error(status, f"cannot open the home {path or 'of this user'}: {meaning(status)}")
        self._home = opened

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
        return False

    def __del__(self):
        self.close()

    def close(self):
        """Transactions that are under way keep what they need. May be called again."""
        home, self._home = getattr(self, "_home", None), None
        if home:
            _ktm.ktm_shut(home)

    def transaction(self):
        """with home.transaction() as t: …"""
        return Transaction(self)

    @property
    def pointer(self):
        """The struct ktm_home, for other libraries."""
        if not self._home:
            raise ValueError("the home is closed")
        return self._home


class Transaction:
    """One transaction. Use ktm.transaction(); 'home' is a Home, or its directory; None: the default."""

    def __init__(self, home=None):
        self._tx = None
        self._part = None
        self._databases = weakref.WeakValueDictionary()
        if isinstance(home, Home):
            self._begin(home)
        else:
            with Home(home) as opened:  # the transaction keeps it
                self._begin(opened)

    def _begin(self, home):
        tx = POINTER()
        status = _ktm.ktm_begin(home.pointer, ctypes.byref(tx))
        if status != 0:
            raise Error(status, f"cannot begin a transaction: {meaning(status)}")
        self._tx = tx

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and self._tx:
                self.commit()
        finally:
            self.end()
        return False

    def __del__(self):
        self.end()

    def end(self):
        """Rolls back what was not committed, and lets go of everything. May be called again."""
        tx, self._tx = getattr(self, "_tx", None), None
        if tx:
            _ktm.ktm_end(tx)

    def commit(self):
        """Durable on return, everywhere. Raises RolledBack or OutcomeUnknown."""
        status = _ktm.ktm_commit(self._live())
        if status & 0xFFFFFFFF in (_DISCONNECTED, _NOT_ONLINE):
            raise OutcomeUnknown(status, _sentence(_ktm.ktm_error, self._tx))
        self.check(status)

    def rollback(self):
        """Before the end of the block; what is left of it then has no transaction any more."""
        self.check(_ktm.ktm_rollback(self._live()))

    @property
    def handle(self):
        """The Nt handle, for other libraries."""
        return _ktm.ktm_transaction(self._live())

    @property
    def pointer(self):
        """The struct ktm_tx, for other libraries."""
        return self._live()

    def check(self, status):
        """Raises what a C function has refused for this transaction."""
        if status != 0:
            raise _kind_of(status)(status, _sentence(_ktm.ktm_error, self._live())
                                   or meaning(status))

    def refuse(self, status, error, part):
        """Raises what a database has refused, with its words and what can be done."""
        words = _sentence(error, part) or meaning(status)
        advice = _ktm.ktm_status_advice(status).decode()
        raise _kind_of(status)(status, f"{words}; {advice}" if advice else words)

    # ---- files ----

    def put(self, path, data, mode=None):
        """Makes or replaces a file; data: bytes or str."""
        data = _bytes(data)
        content = _Content(data, len(data), None, -1, None, None)
        self._check(_ktm.ktm_file_put(self._files(), _library.path(path),
                                          _KEEP if mode is None else mode, content))

    def put_file(self, path, source, mode=None):
        """The same with the content of another file."""
        content = _Content(None, 0, _library.path(source), -1, None, None)
        self._check(_ktm.ktm_file_put(self._files(), _library.path(path),
                                          _KEEP if mode is None else mode, content))

    def append(self, path, data):
        data = _bytes(data)
        content = _Content(data, len(data), None, -1, None, None)
        self._check(_ktm.ktm_file_append(self._files(), _library.path(path), content))

    def delete(self, path):
        self._check(_ktm.ktm_file_delete(self._files(), _library.path(path)))

    def mkdir(self, path, mode=None):
        self._check(_ktm.ktm_file_mkdir(self._files(), _library.path(path),
                                            _KEEP if mode is None else mode))

    def rmdir(self, path):
        self._check(_ktm.ktm_file_rmdir(self._files(), _library.path(path)))

    def rename(self, source, target, replace=False):
        self._check(_ktm.ktm_file_rename(self._files(), _library.path(source), _library.path(target),
                                             _REPLACE if replace else 0))

    def symlink(self, path, target):
        self._check(_ktm.ktm_file_symlink(self._files(), _library.path(path), _library.path(target)))

    def chmod(self, path, mode):
        self._check(_ktm.ktm_file_chmod(self._files(), _library.path(path), mode))

    def tree(self, target, source):
        """A copy of the directory 'source' takes the place of 'target', at once."""
        self._check(_ktm.ktm_file_tree(self._files(), _library.path(target), _library.path(source)))

    def read(self, path):
        """All of a file as this transaction sees it, as bytes."""
        info, got = _Info(), ctypes.c_size_t()
        name = _library.path(path)
        self._check(_ktm.ktm_file_stat(self._files(), name, ctypes.byref(info)))
        buffer = ctypes.create_string_buffer(max(1, info.size))
        self._check(_ktm.ktm_file_read(self._files(), name, 0, buffer, info.size,
                                           ctypes.byref(got)))
        return buffer.raw[:got.value]

    def exists(self, path):
        """Whether there is something of that name, as this transaction sees it."""
        info = _Info()
        status = _ktm.ktm_file_stat(self._files(), _library.path(path), ctypes.byref(info))
        if status & 0xFFFFFFFF == _NAME_NOT_FOUND:
            return False
        self._check(status)
        return True

    # ---- databases ----

    def sqlite(self, path, *, owns_wal=False):
        """The SQLite database takes part; see ktm._sqlite.Sqlite. owns_wal: it may be in WAL mode,
        and nobody else has it open from here to the outcome; the same each time in a home that is
        kept open."""
        from ._sqlite import Sqlite  # only who uses it needs its library

        name, is_owner = os.path.abspath(path), bool(owns_wal)
        return self._database(("sqlite", name, is_owner), lambda: Sqlite(self, name, is_owner))

    def postgres(self, conninfo=""):
        """The PostgreSQL database takes part; see ktm._postgres.Postgres. "service=shop" and the
        like, as libpq takes it; "": what the environment says. Passwords belong into ~/.pgpass."""
        from ._postgres import Postgres

        return self._database(("postgres", conninfo), lambda: Postgres(self, conninfo))

    def mariadb(self, database, *, host=None, port=0, socket=None, user=None, password=None,
                defaults_file=None, defaults_group=None):
        """The MariaDB database takes part; see ktm._mariadb.Mariadb. What is not given comes from
        the groups [client], [client-server], [client-mariadb] and 'defaults_group' of the option
        file, which is also where the password belongs."""
        from ._mariadb import Mariadb

        where = {"host": host, "port": port, "socket": socket, "user": user, "password": password,
                 "database": database, "defaults_file": defaults_file,
                 "defaults_group": defaults_group}
        return self._database(("mariadb", *where.values()), lambda: Mariadb(self, where))

    # ---- inside ----

    def _database(self, key, make):
        found = self._databases.get(key)
        if found is None:
            found = self._databases[key] = make()
        return found

    def _live(self):
        if not self._tx:
            raise ValueError("the transaction has ended")
        return self._tx

    def _files(self):
        tx = self._live()
        if not self._part:
            part = POINTER()
            self.check(_ktm.ktm_files(tx, ctypes.byref(part)))
            self._part = part
        return self._part

    def _check(self, status):
        """Raises what was refused to do with a file."""
        if status != 0:
            raise _kind_of(status)(status, _sentence(_ktm.ktm_file_error, self._part)
                                   or meaning(status))


def transaction(home=None):
    """with ktm.transaction() as t: …"""
    return Transaction(home)
