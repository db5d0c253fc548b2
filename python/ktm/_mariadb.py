# SPDX-License-Identifier: MIT
"""A MariaDB database in a transaction: t.mariadb("shop").execute("UPDATE … ?", (1,))."""
import ctypes
import decimal

from . import _library, _server
from ._library import POINTER, TEXT


class _Where(ctypes.Structure):
    """struct ktm_mariadb_server"""
    _fields_ = [("host", TEXT), ("port", ctypes.c_uint), ("socket", TEXT), ("user", TEXT),
                ("password", TEXT), ("database", TEXT), ("defaults_file", TEXT),
                ("defaults_group", TEXT)]


class _Field(ctypes.Structure):
    """MYSQL_FIELD"""
    _fields_ = [(name, TEXT) for name in ("name", "org_name", "table", "org_table", "db", "catalog",
                                          "default")]
    _fields_ += [("length", ctypes.c_ulong), ("max_length", ctypes.c_ulong)]
    _fields_ += [(name, ctypes.c_uint) for name in (
        "name_length", "org_name_length", "table_length", "org_table_length", "db_length",
        "catalog_length", "default_length", "flags", "decimals", "charset", "type")]
    _fields_ += [("extension", POINTER)]


_ours = _library.load(
    "libktm-mariadb.so.0",
    _server.functions("mariadb", [POINTER, ctypes.POINTER(_Where), ctypes.POINTER(POINTER)]),
    "KTM_MARIADB_LIBRARY")
_theirs = _library.load("libmariadb.so.3", {
    "mysql_free_result": (None, [POINTER]),
    "mysql_num_fields": (ctypes.c_uint, [POINTER]),
    "mysql_fetch_field_direct": (ctypes.POINTER(_Field), [POINTER, ctypes.c_uint]),
    "mysql_fetch_row": (ctypes.POINTER(POINTER), [POINTER]),
    "mysql_fetch_lengths": (ctypes.POINTER(ctypes.c_ulong), [POINTER]),
})

# enum_field_types
_TYPES = {1: int, 2: int, 3: int, 8: int, 9: int, 13: int, 4: float, 5: float,
          0: lambda data: decimal.Decimal(data.decode()),
          246: lambda data: decimal.Decimal(data.decode())}
_TEXTS = {249, 250, 251, 252, 253, 254}  # BLOB, CHAR and their like; BIT
_BIT, _CHARSET_BINARY = 16, 63


def _text(data):
    return data.decode("utf-8", "surrogateescape")


def _type_of(field):
    if field.type == _BIT or (field.type in _TEXTS and field.charset == _CHARSET_BINARY):
        return bytes
    return _TYPES.get(field.type, _text)


class Mariadb(_server.Server):
    """Parameters stand as ? in the statement. Values come as int, float, Decimal, bytes (of binary
    columns) and None; everything else is the text that MariaDB shows. A statement that was refused
    is undone alone; after ktm.Conflict all that is left is to roll back."""

    def __init__(self, transaction, where):
        words = {name: value if name == "port" else _library.text(value)
                 for name, value in where.items()}
        super().__init__(transaction, _ours, "mariadb", ctypes.byref(_Where(**words)))

    def _binary(self, data):
        raise TypeError("bytes travel as text here: write UNHEX(?) and give data.hex()")

    def _rows(self, result):
        if not result:
            return []
        types = [_type_of(_theirs.mysql_fetch_field_direct(result, column).contents)
                 for column in range(_theirs.mysql_num_fields(result))]
        rows = []
        row = _theirs.mysql_fetch_row(result)
        while row:
            sizes = _theirs.mysql_fetch_lengths(result)
            rows.append(tuple(None if row[column] is None else
                              convert(ctypes.string_at(row[column], sizes[column]))
                              for column, convert in enumerate(types)))
            row = _theirs.mysql_fetch_row(result)
        return rows

    def _count(self, result, rows):
        if result:
            return len(rows)
        told = self._ask("SELECT ROW_COUNT()")
        try:
            return max(0, self._rows(told)[0][0])
        finally:
            self._clear(told)

    def _clear(self, result):
        _theirs.mysql_free_result(result)
