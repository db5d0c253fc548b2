# SPDX-License-Identifier: MIT
"""What the databases of servers have in common: statements with parameters, rows, refusals."""
import ctypes
import datetime
import decimal
import uuid

from . import _library
from ._library import INT, POINTER, SIZE, STATUS, TEXT

_AS_THEY_ARE = (int, float, decimal.Decimal, datetime.date, datetime.datetime, datetime.time,
                uuid.UUID)


def functions(name, begin):
    """Those of libktm-NAME.so, whose ktm_NAME takes these arguments."""
    return {
        f"ktm_{name}": (STATUS, begin),
        f"ktm_{name}_exec": (STATUS, [POINTER, TEXT, INT, ctypes.POINTER(TEXT),
                                      ctypes.POINTER(POINTER)]),
        f"ktm_{name}_error": (SIZE, [POINTER, ctypes.c_char_p, SIZE]),
    }


class Server:
    """A database of a server in a transaction. Belongs to the transaction, and ends with it."""

    def __init__(self, transaction, library, name, *arguments):
        self._transaction = transaction
        self._exec = getattr(library, f"ktm_{name}_exec")
        self._error = getattr(library, f"ktm_{name}_error")
        self.rowcount = 0
        part = POINTER()
        transaction.check(getattr(library, f"ktm_{name}")(transaction.pointer, *arguments,
                                                          ctypes.byref(part)))
        self._part = part

    def execute(self, sql, parameters=()):
        """One statement; returns all its rows, each a tuple. rowcount: how many rows it has changed,
        or given. Raises ktm.Error with the words of the server, as ktm.Conflict when another
        transaction was in the way, and ktm.Disconnected when the connection is lost."""
        if isinstance(parameters, (str, bytes, dict)):
            raise TypeError("the parameters are a sequence, one for each place in the statement")
        values = [self._parameter(value) for value in parameters]
        result = self._ask(sql, values)
        try:
            rows = self._rows(result)
            self.rowcount = self._count(result, rows)
            return rows
        finally:
            self._clear(result)

    def _ask(self, sql, values=()):
        result = POINTER()
        status = self._exec(self._live(), _library.text(sql), len(values),
                            (TEXT * len(values))(*values), ctypes.byref(result))
        if status != 0:
            self._transaction.refuse(status, self._error, self._part)
        return result

    def _live(self):
        if not self._transaction.pointer:
            raise ValueError("the transaction has ended")
        return self._part

    def _parameter(self, value):
        """As text, which is how it travels."""
        if value is None or isinstance(value, str):
            return _library.text(value)
        if isinstance(value, bool):
            return b"1" if value else b"0"
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._binary(bytes(value))
        if isinstance(value, _AS_THEY_ARE):
            return str(value).encode()
        raise TypeError(f"a {type(value).__name__} is no parameter: make a text of it")

    # ---- what each server does in its own way ----

    def _binary(self, data):
        raise NotImplementedError

    def _rows(self, result):
        raise NotImplementedError

    def _count(self, result, rows):
        raise NotImplementedError

    def _clear(self, result):
        raise NotImplementedError
