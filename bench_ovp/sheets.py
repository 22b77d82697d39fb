"""Tables written as their rows come: CSV line by line, Parquet by groups of rows; neither is ever whole in memory."""

from __future__ import annotations

import csv
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import CODED, COUNTS, LABELS, Row, count_records, list_parameters, list_records
from .trace import Trace

GROUP = 100_000  # rows of a group in the Parquet file


@contextmanager
def replacing(path: Path) -> Iterator[str]:
    """The name of a file to write, which then takes the place of `path`: a reader never sees a half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield name
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def open_csv(path: Path, columns: Sequence[str]) -> Iterator[CsvSheet]:
    """A CSV to add rows to; what does not exist is empty."""
    with replacing(path) as name, open(name, "w", newline="", encoding="utf-8") as file:
        yield CsvSheet(csv.writer(file, lineterminator="\n"), columns)


class CsvSheet:
    """A CSV under way."""

    def __init__(self, writer: Any, columns: Sequence[str]) -> None:
        self._writer = writer
        self._columns = columns
        writer.writerow(columns)

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        self._writer.writerows([_blank(row.get(name)) for name in self._columns] for row in rows)


def _blank(value: Any) -> Any:
    return "" if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def open_traces(path: Path, measured: Sequence[str], parameters: Mapping[str, set[type]]) -> Iterator[TraceSheet]:
    """A Parquet file to add traces to.

    Args:
        path: of the file.
        measured: what any of the runs recorded.
        parameters: columns of parameters, and the types of the values that each of them takes.
    """
    with replacing(path) as name, TraceSheet(name, measured, parameters) as sheet:
        yield sheet


class TraceSheet:
    """A Parquet file of traces under way. Use it as a context."""

    def __init__(self, name: str, measured: Sequence[str], parameters: Mapping[str, set[type]]) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        self._measured = measured
        kinds = {"problem": pa.string(), "optimizer": pa.string(), "seed": pa.int64()}
        kinds |= {name: pa.int64() if name in COUNTS else pa.float64() for name in measured}
        kinds |= {name: pa.string() for name in CODED if name in measured}
        self._parameters = {name: _choose_type(types) for name, types in parameters.items()}
        types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
        self._schema = pa.schema({**kinds, **{name: types[kind] for name, kind in self._parameters.items()}})
        self._writer = ParquetWriter(name, self._schema)
        self._waiting: list[Trace] = []
        self._rows = 0

    def __enter__(self) -> TraceSheet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is None:
            self._write()
        self._writer.close()

    def add(self, trace: Trace) -> None:
        """Add the rows of a pair."""
        self._waiting.append(trace)
        self._rows += count_records(trace)
        if self._rows >= GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        lengths = [count_records(trace) for trace in self._waiting]
        shared = [
            {LABELS[0]: trace.problem.label, LABELS[1]: trace.optimizer.label}
            | list_parameters(trace.problem, trace.optimizer)
            for trace in self._waiting
        ]
        columns: dict[str, Any] = {
            name: _to_arrow(column) for name, column in list_records(self._waiting, self._measured).items()
        }
        for name in (*LABELS[:2], *self._parameters):
            kind, type_ = self._parameters.get(name, str), self._schema.field(name).type
            values = (None if (value := row.get(name)) is None else kind(value) for row in shared)
            parts = [_repeat(value, n, type_) for value, n in zip(values, lengths, strict=True)]
            columns[name] = pa.chunked_array(parts, type_)
        for name in COUNTS:
            columns[name] = columns[name].cast(pa.int64())
        for name in CODED.keys() & columns.keys():
            columns[name] = _to_words(columns[name], CODED[name])
        ordered = [columns[name] for name in self._schema.names]
        self._writer.write_table(pa.Table.from_arrays(ordered, schema=self._schema))
        self._waiting, self._rows = [], 0


def _repeat(value: Any, count: int, type_: Any) -> Any:
    """A column that is `value` throughout; from its bytes, as in `_to_arrow`."""
    import pyarrow as pa

    if value is None:
        return pa.nulls(count, type_)
    if isinstance(value, str):
        text = value.encode()
        ends = np.arange(count + 1, dtype=np.int32) * np.int32(len(text))
        return pa.Array.from_buffers(type_, count, [None, pa.py_buffer(ends), pa.py_buffer(text * count)])
    if isinstance(value, bool):
        return pa.Array.from_buffers(type_, count, [None, pa.py_buffer(np.packbits(np.full(count, value)))])
    return _to_arrow(np.full(count, value, dtype=np.float64 if isinstance(value, float) else np.int64))


def _to_arrow(column: NDArray[Any]) -> Any:
    """A column for Parquet, empty where it is NaN; from its bytes, since `pa.array` would import pandas."""
    import pyarrow as pa

    there = ~np.isnan(column)
    bits = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    kind = pa.float64() if column.dtype == np.float64 else pa.int64()
    return pa.Array.from_buffers(kind, len(column), [bits, pa.py_buffer(np.ascontiguousarray(column))])


def _to_words(codes: Any, words: Sequence[str]) -> Any:
    """The words that a column of numbers stands for."""
    import pyarrow as pa

    known = pa.concat_arrays([_repeat(word, 1, pa.string()) for word in words])
    return pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), known).dictionary_decode()


def _choose_type(types: set[type]) -> type:
    """The type of a column: the only one that its values have, a number where all are, or else text."""
    known = types - {type(None)}
    if len(known) == 1:
        return next(iter(known))
    return float if known == {int, float} else str
