"""Tables from files: CSV or TSV, plain or compressed, and Parquet."""

import gzip
import lzma
import zlib
from pathlib import Path

import polars as pl

from mlengine.benchmarks import BadFile, said

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_COMPRESSED = {".gz": gzip.decompress, ".xz": lzma.decompress}
# A reader of Parquet that meets nonsense may panic, which is no Exception.
_BROKEN = (
    *(OSError, EOFError, ValueError, lzma.LZMAError, zlib.error),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
)


def read(file: Path) -> pl.DataFrame:
    """Return a file's table, its first line being the names of the columns.

    Raises
    ------
    BadFile
        It is not there, of another form, or broken.
    """
    try:
        body = file.read_bytes()
        suffixes = file.suffixes
        if suffixes and suffixes[-1] in _COMPRESSED:
            body = _COMPRESSED[suffixes.pop()](body)
        kind = suffixes[-1] if suffixes else ""
        if kind == ".parquet":
            return pl.read_parquet(body)
        if kind in _SEPARATORS:
            return pl.read_csv(body, separator=_SEPARATORS[kind], infer_schema_length=None, null_values="")
    except _BROKEN as error:
        raise BadFile(f"{file} cannot be read: {said(error)}") from error
    raise BadFile(f"{file} is neither .csv, .tsv nor .parquet (the first two may end in .gz or .xz).")
