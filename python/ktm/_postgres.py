# SPDX-License-Identifier: MIT
"""A PostgreSQL database in a transaction: t.postgres("service=shop").execute("UPDATE … $1", (1,))."""
import ctypes
import decimal

from . import _library, _server
from ._library import INT, POINTER, SIZE, TEXT

_ours = _library.load(
    "libktm-postgres.so.0",
    _server.functions("postgres", [POINTER, TEXT, ctypes.POINTER(POINTER)]),
    "KTM_POSTGRES_LIBRARY")
_theirs = _library.load("libpq.so.5", {
    "PQclear": (None, [POINTER]),
    "PQntuples": (INT, [POINTER]),
    "PQnfields": (INT, [POINTER]),
    "PQftype": (ctypes.c_uint, [POINTER, INT]),
    "PQgetisnull": (INT, [POINTER, INT, INT]),
    "PQgetvalue": (POINTER, [POINTER, INT, INT]),
    "PQgetlength": (INT, [POINTER, INT, INT]),
    "PQcmdTuples": (TEXT, [POINTER]),
    "PQunescapeBytea": (POINTER, [TEXT, ctypes.POINTER(SIZE)]),
    "PQfreemem": (None, [POINTER]),
})


def _bytea(data):
    size = SIZE()
    plain = _theirs.PQunescapeBytea(data, ctypes.byref(size))
    if not plain:
        raise MemoryError
    try:
        return ctypes.string_at(plain, size.value)
    finally:
        _theirs.PQfreemem(plain)


def _text(data):
    return data.decode("utf-8", "surrogateescape")


# By the numbers of the types in pg_type; all others are text.
_TYPES = {16: lambda data: data == b"t", 17: _bytea,
          20: int, 21: int, 23: int, 26: int, 700: float, 701: float,
          1700: lambda data: decimal.Decimal(data.decode())}


class Postgres(_server.Server):
    """Parameters stand as $1, $2, … in the statement. Values come as bool, int, float, Decimal, bytes
    (bytea) and None; everything else is the text that PostgreSQL shows. After a statement that was
    refused the transaction can only be rolled back, or to a SAVEPOINT of before."""

    def __init__(self, transaction, conninfo):
        super().__init__(transaction, _ours, "postgres", _library.text(conninfo))

    def _binary(self, data):
        return b"\\x" + data.hex().encode()

    def _rows(self, result):
        columns = range(_theirs.PQnfields(result))
        types = [_TYPES.get(_theirs.PQftype(result, column), _text) for column in columns]
        return [tuple(self._value(result, row, column, types[column]) for column in columns)
                for row in range(_theirs.PQntuples(result))]

    @staticmethod
    def _value(result, row, column, convert):
        if _theirs.PQgetisnull(result, row, column):
            return None
        return convert(ctypes.string_at(_theirs.PQgetvalue(result, row, column),
                                        _theirs.PQgetlength(result, row, column)))

    def _count(self, result, rows):
        return int(_theirs.PQcmdTuples(result) or 0)

    def _clear(self, result):
        _theirs.PQclear(result)
