"""Recognise files by their first bytes, where their name claims text."""

import re

FIRST_BYTES = 256
_SIGNS = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive; save the sheet as CSV, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as CSV"),
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it"),
    (b"BZh", "compressed with bzip2; unpack it"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it"),
    (b"PAR1", "Parquet; call it .parquet"),
    (b"ARROW1", "Arrow; call it .arrow"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"\x93NUMPY", "an array of NumPy; export the table as CSV"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself; fetch it with git lfs pull"),
)
_DUCKDB = re.compile(rb".{8}DUCK", re.DOTALL)
_WIDE = {  # a byte order mark, or two signs of ASCII of which all but one byte are zero
    "UTF-32": re.compile(rb"\xff\xfe\0\0|\0\0\xfe\xff|([^\0]\0\0\0){2}|(\0\0\0[^\0]){2}", re.DOTALL),
    "UTF-16": re.compile(rb"\xff\xfe|\xfe\xff|([^\0]\0){2}|(\0[^\0]){2}", re.DOTALL),
}
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|\?xml)", re.IGNORECASE)


def other_kind(start: bytes) -> str:
    """Return what a file is that begins so, and what to do with it; "" where it may be text.

    >>> other_kind(b"PAR1..."), other_kind(b"user,item")
    ('Parquet; call it .parquet', '')
    """
    if _MARKUP.match(start.removeprefix(b"\xef\xbb\xbf")):
        return "a web page or XML, such as a server's answer to a failed download"
    if _DUCKDB.match(start):
        return "a DuckDB database; export the table as Parquet or CSV"
    return next((what for sign, what in _SIGNS if start.startswith(sign)), "")


def wide_encoding(start: bytes) -> str:
    """Return the name of an encoding of two or four bytes a sign, by its byte order mark or its zeros; "" for others.

    >>> wide_encoding("user,item".encode("utf-16")), wide_encoding("user,item".encode("utf-16-le"))
    ('UTF-16', 'UTF-16')
    >>> wide_encoding(bytes(8))
    ''
    """
    return next((name for name, sign in _WIDE.items() if sign.match(start)), "")
