# SPDX-License-Identifier: MIT
"""Transactions over files and databases: several things change together, or not at all.

    import ktm

    with ktm.transaction() as t:
        t.put("/etc/app/app.conf", text)
        t.delete("/etc/app/old.conf")
        t.sqlite("/srv/app/app.db").execute("UPDATE settings SET value = ? WHERE name = ?", (2, "v"))

The block commits at its end and is durable then; an exception in it rolls everything back and goes
on. What is refused raises ktm.Error, with the status and a sentence that says what happened, to
which object, and what to do.

This module speaks to libktm.so through ctypes and needs nothing but Python 3.7. A transaction is used by one
thread at a time.
"""
import ctypes
import os

__all__ = ["Error", "RolledBack", "OutcomeUnknown", "SqliteError", "Transaction", "transaction",
           "status_name"]

_HANDLE = ctypes.c_void_p
_STATUS = ctypes.c_int32
_KEEP = 0xFFFFFFFF
_REPLACE = 1

_ALREADY_ABORTED = 0xC0190015 - (1 << 32)
_UNKNOWN = {0xC0190032 - (1 << 32), 0xC0190052 - (1 << 32)}


class Error(OSError):
    """A refusal. status: the NTSTATUS value; name: "STATUS_…"; strerror: a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status & 0xFFFFFFFF
        self.name = status_name(status)


class RolledBack(Error):
    """The transaction was rolled back everywhere: nothing has happened."""


class OutcomeUnknown(Error):
    """It cannot be said whether the transaction was committed; the next start finds out."""


class SqliteError(Exception):
    """What SQLite says about a statement; the transaction can go on, or be rolled back."""


class _Content(ctypes.Structure):
    """struct ktm_file_content"""
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t), ("path", ctypes.c_char_p),
                ("fd", ctypes.c_int), ("read", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class _Info(ctypes.Structure):
    """struct ktm_file_info"""
    _fields_ = [("kind", ctypes.c_int), ("size", ctypes.c_uint64), ("mode", ctypes.c_uint32),
                ("owner", ctypes.c_uint32), ("group", ctypes.c_uint32), ("links", ctypes.c_uint32),
                ("written", ctypes.c_int64)]


_POINTER = ctypes.c_void_p
_PATH = ctypes.c_char_p
_FUNCTIONS = {
    "ktm_open": (_STATUS, [_PATH, ctypes.POINTER(_POINTER)]),
    "ktm_shut": (None, [_POINTER]),
    "ktm_begin": (_STATUS, [_POINTER, ctypes.POINTER(_POINTER)]),
    "ktm_commit": (_STATUS, [_POINTER]),
    "ktm_rollback": (_STATUS, [_POINTER]),
    "ktm_end": (None, [_POINTER]),
    "ktm_transaction": (_HANDLE, [_POINTER]),
    "ktm_error": (ctypes.c_size_t, [_POINTER, ctypes.c_char_p, ctypes.c_size_t]),
    "ktm_status_text": (ctypes.c_char_p, [_STATUS]),
    "ktm_status_name": (ctypes.c_char_p, [_STATUS]),
    "ktm_files": (_STATUS, [_POINTER, ctypes.POINTER(_POINTER)]),
    "ktm_file_put": (_STATUS, [_POINTER, _PATH, ctypes.c_uint32, _Content]),
    "ktm_file_append": (_STATUS, [_POINTER, _PATH, _Content]),
    "ktm_file_delete": (_STATUS, [_POINTER, _PATH]),
    "ktm_file_mkdir": (_STATUS, [_POINTER, _PATH, ctypes.c_uint32]),
    "ktm_file_rmdir": (_STATUS, [_POINTER, _PATH]),
    "ktm_file_rename": (_STATUS, [_POINTER, _PATH, _PATH, ctypes.c_uint]),
    "ktm_file_symlink": (_STATUS, [_POINTER, _PATH, _PATH]),
    "ktm_file_chmod": (_STATUS, [_POINTER, _PATH, ctypes.c_uint32]),
    "ktm_file_tree": (_STATUS, [_POINTER, _PATH, _PATH]),
    "ktm_file_stat": (_STATUS, [_POINTER, _PATH, ctypes.POINTER(_Info)]),
    "ktm_file_read": (_STATUS, [_POINTER, _PATH, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t,
                                ctypes.POINTER(ctypes.c_size_t)]),
}


def _load():
    library = ctypes.CDLL(os.environ.get("KTM_LIBRARY", "libktm.so.0"))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def status_name(status):
    """"STATUS_TRANSACTION_NOT_ACTIVE", or the number of one that has no name."""
    name = _library.ktm_status_name(ctypes.c_int32(status & 0xFFFFFFFF).value)
    return name.decode() if name else f"0x{status & 0xFFFFFFFF:08X}"


def _bytes(data):
    return data.encode() if isinstance(data, str) else bytes(data)


class Transaction:
    """One transaction. Use ktm.transaction(); 'home' is where its log is, None: the default."""

    def __init__(self, home=None):
        self._tx = None
        opened = _POINTER()
        tx = _POINTER()
        status = _library.ktm_open(os.fsencode(home) if home else None, ctypes.byref(opened))
        if status == 0:
            status = _library.ktm_begin(opened, ctypes.byref(tx))
            _library.ktm_shut(opened)  # the transaction keeps it
        if status != 0:
            raise Error(status, "cannot begin a transaction: "
                        + _library.ktm_status_text(status).decode())
        self._tx = tx
        self._part = None
        self._databases = {}

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
            _library.ktm_end(tx)

    def commit(self):
        """Durable on return, everywhere. Raises RolledBack or OutcomeUnknown."""
        self._check(_library.ktm_commit(self._live()))

    def rollback(self):
        self._check(_library.ktm_rollback(self._live()))

    @property
    def handle(self):
        """The Nt handle, for other libraries."""
        return _library.ktm_transaction(self._live())

    @property
    def pointer(self):
        """The struct ktm_tx, for other libraries."""
        return self._live()

    def check(self, status):
        """Raises what a C function has refused for this transaction."""
        self._check(status)

    # ---- files ----

    def put(self, path, data, mode=None):
        """Makes or replaces a file; data: bytes or str."""
        data = _bytes(data)
        content = _Content(data, len(data), None, -1, None, None)
        self._check(_library.ktm_file_put(self._files(), os.fsencode(path),
                                          _KEEP if mode is None else mode, content))

    def put_file(self, path, source, mode=None):
        """The same with the content of another file."""
        content = _Content(None, 0, os.fsencode(source), -1, None, None)
        self._check(_library.ktm_file_put(self._files(), os.fsencode(path),
                                          _KEEP if mode is None else mode, content))

    def append(self, path, data):
        data = _bytes(data)
        content = _Content(data, len(data), None, -1, None, None)
        self._check(_library.ktm_file_append(self._files(), os.fsencode(path), content))

    def delete(self, path):
        self._check(_library.ktm_file_delete(self._files(), os.fsencode(path)))

    def mkdir(self, path, mode=None):
        self._check(_library.ktm_file_mkdir(self._files(), os.fsencode(path),
                                            _KEEP if mode is None else mode))

    def rmdir(self, path):
        self._check(_library.ktm_file_rmdir(self._files(), os.fsencode(path)))

    def rename(self, source, target, replace=False):
        self._check(_library.ktm_file_rename(self._files(), os.fsencode(source), os.fsencode(target),
                                             _REPLACE if replace else 0))

    def symlink(self, path, target):
        self._check(_library.ktm_file_symlink(self._files(), os.fsencode(path), os.fsencode(target)))

    def chmod(self, path, mode):
        self._check(_library.ktm_file_chmod(self._files(), os.fsencode(path), mode))

    def tree(self, target, source):
        """A copy of the directory 'source' takes the place of 'target', at once."""
        self._check(_library.ktm_file_tree(self._files(), os.fsencode(target), os.fsencode(source)))

    def read(self, path):
        """All of a file as this transaction sees it, as bytes."""
        info, got = _Info(), ctypes.c_size_t()
        name = os.fsencode(path)
        self._check(_library.ktm_file_stat(self._files(), name, ctypes.byref(info)))
        buffer = ctypes.create_string_buffer(max(1, info.size))
        self._check(_library.ktm_file_read(self._files(), name, 0, buffer, info.size,
                                           ctypes.byref(got)))
        return buffer.raw[:got.value]

    # ---- databases ----

    def sqlite(self, path):
        """The SQLite database takes part; see ktm._sqlite.Sqlite. Takes libktm-sqlite.so."""
        from ._sqlite import Sqlite  # only who uses it needs it

        name = os.path.abspath(path)
        if name not in self._databases:
            self._databases[name] = Sqlite(self, name)
        return self._databases[name]

    # ---- inside ----

    def _live(self):
        if not self._tx:
            raise ValueError("the transaction has ended")
        return self._tx

    def _files(self):
        if not self._part:
            part = _POINTER()
            self._check(_library.ktm_files(self._live(), ctypes.byref(part)))
            self._part = part
        self._live()
        return self._part

    def _check(self, status):
        if status == 0:
            return
        size = _library.ktm_error(self._tx, None, 0) + 1
        text = ctypes.create_string_buffer(size)
        _library.ktm_error(self._tx, text, size)
        kind = (RolledBack if status == _ALREADY_ABORTED else
                OutcomeUnknown if status in _UNKNOWN else Error)
        raise kind(status, text.value.decode(errors="replace")
                   or _library.ktm_status_text(status).decode())


def transaction(home=None):
    """with ktm.transaction() as t: …"""
    return Transaction(home)
