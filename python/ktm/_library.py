# SPDX-License-Identifier: MIT
"""The C libraries behind this module, and what goes into them. ctypes lets other threads run while
one of their functions is at work."""
import ctypes
import os

POINTER = ctypes.c_void_p
TEXT = ctypes.c_char_p
STATUS = ctypes.c_int32
INT = ctypes.c_int
SIZE = ctypes.c_size_t


def load(name, functions, variable=None):
    """The library with the types of these functions, name -> (result, arguments). The variable of
    the environment names another file."""
    library = ctypes.CDLL(os.environ.get(variable, name) if variable else name)
    for function_name, (result, arguments) in functions.items():
        function = getattr(library, function_name)
        function.restype, function.argtypes = result, arguments
    return library


def checked(data):
    """Bytes that C can take as a text."""
    if b"\0" in data:
        raise ValueError("a NUL inside a text")
    return data


def text(value):
    """A str, or None, for C. What is not UTF-8 comes through unchanged."""
    return None if value is None else checked(value.encode("utf-8", "surrogateescape"))


def path(name):
    return checked(os.fsencode(name))
