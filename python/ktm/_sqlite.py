# SPDX-License-Identifier: MIT
"""A SQLite database in a transaction: t.sqlite("app.db").execute("UPDATE …", (1, "two"))."""
import ctypes
import os

from . import SqliteError

_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p
_INT = ctypes.c_int
_ROW, _DONE = 100, 101
_INTEGER, _FLOAT, _STRING, _BLOB = 1, 2, 3, 4
_TRANSIENT = _POINTER(-1 & (1 << 8 * ctypes.sizeof(_POINTER)) - 1)

_OURS = {
    "ktm_sqlite": (ctypes.c_int32, [_POINTER, _TEXT, ctypes.POINTER(_POINTER)]),
    "ktm_sqlite_db": (_POINTER, [_POINTER]),
}
_THEIRS = {
    "sqlite3_prepare_v2": (_INT, [_POINTER, _TEXT, _INT, ctypes.POINTER(_POINTER),
                                  ctypes.POINTER(_TEXT)]),
    "sqlite3_bind_int64": (_INT, [_POINTER, _INT, ctypes.c_int64]),
    "sqlite3_bind_double": (_INT, [_POINTER, _INT, ctypes.c_double]),
    "sqlite3_bind_text": (_INT, [_POINTER, _INT, _TEXT, _INT, _POINTER]),
    "sqlite3_bind_blob": (_INT, [_POINTER, _INT, _TEXT, _INT, _POINTER]),
    "sqlite3_bind_null": (_INT, [_POINTER, _INT]),
    "sqlite3_bind_parameter_count": (_INT, [_POINTER]),
    "sqlite3_step": (_INT, [_POINTER]),
    "sqlite3_finalize": (_INT, [_POINTER]),
    "sqlite3_column_count": (_INT, [_POINTER]),
    "sqlite3_column_type": (_INT, [_POINTER, _INT]),
    "sqlite3_column_int64": (ctypes.c_int64, [_POINTER, _INT]),
    "sqlite3_column_double": (ctypes.c_double, [_POINTER, _INT]),
    "sqlite3_column_blob": (_POINTER, [_POINTER, _INT]),
    "sqlite3_column_bytes": (_INT, [_POINTER, _INT]),
    "sqlite3_changes": (_INT, [_POINTER]),
    "sqlite3_errmsg": (_TEXT, [_POINTER]),
}


def _declare(library, functions):
    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _load():
    ours = ctypes.CDLL(os.environ.get("KTM_SQLITE_LIBRARY", "libktm-sqlite.so.0"))
    return _declare(ours, _OURS), _declare(ctypes.CDLL("libsqlite3.so.0"), _THEIRS)


_libraries = []


class Sqlite:
    """Belongs to its transaction, and ends with it."""

    def __init__(self, transaction, path):
        if not _libraries:
            _libraries.extend(_load())
        self._ours, self._theirs = _libraries
        self._transaction = transaction
        part = _POINTER()
        transaction.check(self._ours.ktm_sqlite(transaction.pointer, os.fsencode(path),
                                                ctypes.byref(part)))
        self._part = part
        self.rowcount = 0

    def execute(self, sql, parameters=()):
        """One statement; returns all its rows as tuples. rowcount: how many it has changed."""
        database = self._database()
        statement = _POINTER()
        rest = _TEXT()
        text = sql.encode()
        self._check(self._theirs.sqlite3_prepare_v2(database, text, len(text) + 1,
                                                    ctypes.byref(statement), ctypes.byref(rest)))
        try:
            if rest.value and rest.value.strip():
                raise SqliteError("more than one statement")
            if not statement:
                raise SqliteError("no statement")
            self._bind(statement, parameters)
            rows = self._rows(statement)
            self.rowcount = self._theirs.sqlite3_changes(database)
            return rows
        finally:
            self._theirs.sqlite3_finalize(statement)

    def _database(self):
        if not self._transaction.pointer:
            raise ValueError("the transaction has ended")
        return self._ours.ktm_sqlite_db(self._part)

    def _check(self, result):
        if result != 0:
            raise SqliteError(self._theirs.sqlite3_errmsg(self._database()).decode())

    def _bind(self, statement, parameters):
        lite = self._theirs
        if lite.sqlite3_bind_parameter_count(statement) != len(parameters):
            raise SqliteError("another number of parameters than the statement has")
        for at, value in enumerate(parameters, 1):
            if value is None:
                self._check(lite.sqlite3_bind_null(statement, at))
            elif isinstance(value, int):
                self._check(lite.sqlite3_bind_int64(statement, at, value))
            elif isinstance(value, float):
                self._check(lite.sqlite3_bind_double(statement, at, value))
            elif isinstance(value, str):
                data = value.encode()
                self._check(lite.sqlite3_bind_text(statement, at, data, len(data), _TRANSIENT))
            else:
                data = bytes(value)
                self._check(lite.sqlite3_bind_blob(statement, at, data, len(data), _TRANSIENT))

    def _rows(self, statement):
        rows = []
        while True:
            result = self._theirs.sqlite3_step(statement)
            if result == _DONE:
                return rows
            if result != _ROW:
                self._check(result)
            rows.append(tuple(self._value(statement, at)
                              for at in range(self._theirs.sqlite3_column_count(statement))))

    def _value(self, statement, at):
        lite = self._theirs
        kind = lite.sqlite3_column_type(statement, at)
        if kind == _INTEGER:
            return lite.sqlite3_column_int64(statement, at)
        if kind == _FLOAT:
            return lite.sqlite3_column_double(statement, at)
        if kind not in (_STRING, _BLOB):
            return None
        data = ctypes.string_at(lite.sqlite3_column_blob(statement, at) or b"",
                                lite.sqlite3_column_bytes(statement, at))
        return data.decode() if kind == _STRING else data
