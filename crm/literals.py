"""Texts that PostgreSQL reads as JSON and arrays, made from columns. Loads Polars: import it inside functions."""

import polars as pl


def json_objects(frame: pl.DataFrame) -> pl.Series:
    """Return one JSON object a row, without the keys whose value is null.

    >>> json_objects(pl.DataFrame({"size": ['2"', None], "n": [1, 2]})).to_list()
    ['{"size":"2\\\\"","n":1}', '{"n":2}']
    """
    parts = [pl.when(pl.col(name).is_not_null()).then(_member(name)) for name in frame.columns]
    return frame.select(
        pl.concat_str(pl.lit("{"), pl.concat_str(parts, separator=",", ignore_nulls=True), pl.lit("}"))
    )["literal"]


def _member(name: str) -> pl.Expr:
    return pl.struct(name).struct.json_encode().str.slice(1).str.head(-1)


def array(texts: pl.Expr) -> pl.Expr:
    r"""Return PostgreSQL array literals of lists of texts.

    >>> print(pl.select(array(pl.lit(pl.Series([["a", '"b"']])))).item())
    {"a","\"b\""}
    """
    quoted = pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return pl.concat_str(
        pl.lit("{"), texts.list.eval(pl.concat_str(pl.lit('"'), quoted, pl.lit('"'))).list.join(","), pl.lit("}")
    )
