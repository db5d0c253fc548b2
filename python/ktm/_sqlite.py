# SPDX-License-Identifier: MIT
"""A SQLite database in a transaction: t.sqlite("app.db").execute("UPDATE …", (1, "two"))."""
import ctypes

from . import Error, SqliteError, _library, meaning
from ._library import INT, POINTER, STATUS, TEXT

_ACTIVE = 0  # KTM_SQLITE_ACTIVE
_CALLBACKS = 2  # KTM_RM_CALLBACKS
_BUSY_MS = 5000
_NOT_ACTIVE = 0xC0190003  # STATUS_TRANSACTION_NOT_ACTIVE
_ROW, _DONE = 100, 101
_INTEGER, _FLOAT, _STRING, _BLOB = 1, 2, 3, 4
_TRANSIENT = POINTER(-1 & (1 << 8 * ctypes.sizeof(POINTER)) - 1)

class _Options(ctypes.Structure):
    """struct ktm_sqlite_options"""
    _fields_ = [("mode", INT), ("patience_ms", ctypes.c_uint32), ("busy_ms", ctypes.c_uint32),
                ("is_deferred", ctypes.c_uint8), ("must_exist", ctypes.c_uint8), ("setup", TEXT),
                ("is_last_resource", ctypes.c_uint8), ("unfinished", POINTER),
                ("context", POINTER), ("owns_wal", ctypes.c_uint8)]


_ours = _library.load("libktm-sqlite.so.0", {
    "ktm_sqlite_with": (STATUS, [POINTER, TEXT, ctypes.POINTER(_Options),
                                 ctypes.POINTER(POINTER)]),
    "ktm_sqlite_db": (POINTER, [POINTER]),
    "ktm_sqlite_state": (INT, [POINTER]),
}, "KTM_SQLITE_LIBRARY")
_theirs = _library.load("libsqlite3.so.0", {
    "sqlite3_prepare_v2": (INT, [POINTER, TEXT, INT, ctypes.POINTER(POINTER),
                                 ctypes.POINTER(TEXT)]),
    "sqlite3_bind_int64": (INT, [POINTER, INT, ctypes.c_int64]),
    "sqlite3_bind_double": (INT, [POINTER, INT, ctypes.c_double]),
    "sqlite3_bind_text": (INT, [POINTER, INT, TEXT, INT, POINTER]),
    "sqlite3_bind_blob": (INT, [POINTER, INT, TEXT, INT, POINTER]),
    "sqlite3_bind_null": (INT, [POINTER, INT]),
    "sqlite3_bind_parameter_count": (INT, [POINTER]),
    "sqlite3_step": (INT, [POINTER]),
    "sqlite3_finalize": (INT, [POINTER]),
    "sqlite3_column_count": (INT, [POINTER]),
    "sqlite3_column_type": (INT, [POINTER, INT]),
    "sqlite3_column_int64": (ctypes.c_int64, [POINTER, INT]),
    "sqlite3_column_double": (ctypes.c_double, [POINTER, INT]),
    "sqlite3_column_blob": (POINTER, [POINTER, INT]),
    "sqlite3_column_bytes": (INT, [POINTER, INT]),
    "sqlite3_changes": (INT, [POINTER]),
    "sqlite3_errmsg": (TEXT, [POINTER]),
})


class Sqlite:
    """Belongs to its transaction, and ends with it."""

    def __init__(self, transaction, path, owns_wal=False):
        self._transaction = transaction
        part = POINTER()
        options = _Options(mode=_CALLBACKS, busy_ms=_BUSY_MS, owns_wal=True) if owns_wal else None
        transaction.check(_ours.ktm_sqlite_with(transaction.pointer, _library.path(path), options,
                                                ctypes.byref(part)))
        self._part = part
        self.rowcount = 0

    def execute(self, sql, parameters=()):
        """One statement; returns all its rows as tuples. rowcount: how many rows it has changed, or
        given. Raises ktm.SqliteError with SQLite's words."""
        database = self._database()
        statement = POINTER()
        rest = TEXT()
        text = _library.text(sql)
        self._check(_theirs.sqlite3_prepare_v2(database, text, len(text) + 1,
                                               ctypes.byref(statement), ctypes.byref(rest)))
        try:
            if rest.value and rest.value.strip():
                raise SqliteError("more than one statement")
            if not statement:
                raise SqliteError("no statement")
            self._bind(statement, parameters)
            rows = self._rows(statement)
            gives_rows = _theirs.sqlite3_column_count(statement) > 0
            self.rowcount = len(rows) if gives_rows else _theirs.sqlite3_changes(database)
            return rows
        finally:
            _theirs.sqlite3_finalize(statement)

    def _database(self):
        if not self._transaction.pointer:
            raise ValueError("the transaction has ended")
        if _ours.ktm_sqlite_state(self._part) != _ACTIVE:
            raise Error(_NOT_ACTIVE, meaning(_NOT_ACTIVE))
        return _ours.ktm_sqlite_db(self._part)

    def _check(self, result):
        if result != 0:
            raise SqliteError(_theirs.sqlite3_errmsg(self._database()).decode())

    def _bind(self, statement, parameters):
        if _theirs.sqlite3_bind_parameter_count(statement) != len(parameters):
            raise SqliteError("another number of parameters than the statement has")
        for at, value in enumerate(parameters, 1):
            if value is None:
                self._check(_theirs.sqlite3_bind_null(statement, at))
            elif isinstance(value, int):
                if value.bit_length() > 63:
                    raise OverflowError("a number that SQLite cannot keep: make a text of it")
                self._check(_theirs.sqlite3_bind_int64(statement, at, value))
            elif isinstance(value, float):
                self._check(_theirs.sqlite3_bind_double(statement, at, value))
            elif isinstance(value, str):
                data = value.encode()
                self._check(_theirs.sqlite3_bind_text(statement, at, data, len(data), _TRANSIENT))
            else:
                data = bytes(value)
                self._check(_theirs.sqlite3_bind_blob(statement, at, data, len(data), _TRANSIENT))

    def _rows(self, statement):
        rows = []
        while True:
            result = _theirs.sqlite3_step(statement)
            if result == _DONE:
                return rows
            if result != _ROW:
                self._check(result)
            rows.append(tuple(self._value(statement, at)
                              for at in range(_theirs.sqlite3_column_count(statement))))

    def _value(self, statement, at):
        kind = _theirs.sqlite3_column_type(statement, at)
        if kind == _INTEGER:
            return _theirs.sqlite3_column_int64(statement, at)
        if kind == _FLOAT:
            return _theirs.sqlite3_column_double(statement, at)
        if kind not in (_STRING, _BLOB):
            return None
        data = ctypes.string_at(_theirs.sqlite3_column_blob(statement, at) or b"",
                                _theirs.sqlite3_column_bytes(statement, at))
        return data.decode() if kind == _STRING else data
