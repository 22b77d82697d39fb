"""Tables written as their rows come: CSV line by line, Parquet by groups of rows; neither is ever whole in memory."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
        self._writer.writerows(
            ["" if value != value else value for value in map(row.get, self._columns)]  # NaN alone is not itself
            for row in rows
        )


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
        words = pa.dictionary(pa.int32(), pa.string())
        kinds = {"problem": words, "optimizer": words, "seed": pa.int64()}
        kinds |= {name: pa.int64() if name in COUNTS else pa.float64() for name in measured}
        kinds |= {name: words for name in CODED if name in measured}
        self._parameters = {name: _choose_type(types) for name, types in parameters.items()}
        types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: words}
        self._schema = pa.schema({**kinds, **{name: types[kind] for name, kind in self._parameters.items()}})
        varied = [name for name in measured if name not in (*COUNTS, *CODED, "time")]
        # Hardly a number comes twice in what is measured: a dictionary of them is slow to make and larger than they.
        self._writer = ParquetWriter(
            name,
            self._schema,
            use_dictionary=[name for name in self._schema.names if name not in varied],
            use_byte_stream_split=varied,
            store_schema=False,  # or readers would be given words as categories
        )
        self._waiting: list[Trace] = []
        self._rows = 0
        self._beside = ThreadPoolExecutor(1)  # packing holds no lock of the interpreter: the next rows come meanwhile
        self._packed: Future[None] | None = None

    def __enter__(self) -> TraceSheet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            with self._beside:
                if kind is None:
                    self._write()
                    self._finish()
        finally:
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
        columns: dict[str, Any] = {}
        for name, column in list_records(self._waiting, self._measured).items():
            there = ~np.isnan(column)
            if name in CODED:
                columns[name] = _look_up(column, there, CODED[name])
            else:
                columns[name] = _to_arrow(column, there)
        for name in COUNTS:
            columns[name] = columns[name].cast(pa.int64())
        for name in (*LABELS[:2], *self._parameters):
            kind = self._parameters.get(name, str)
            values = [None if (value := row.get(name)) is None else kind(value) for row in shared]
            columns[name] = _repeat(values, lengths, kind)
        ordered = [columns[name] for name in self._schema.names]
        table = pa.Table.from_arrays(ordered, schema=self._schema)
        self._finish()
        self._packed = self._beside.submit(self._writer.write_table, table)
        self._waiting, self._rows = [], 0

    def _finish(self) -> None:
        """Wait for the rows before; an error of theirs, such as a full disk, is raised here."""
        if self._packed:
            self._packed.result()


def _repeat(values: Sequence[Any], counts: Sequence[int], kind: type) -> Any:
    """A column of values of one kind, each so many times; empty where a value is None."""
    there = np.repeat([value is not None for value in values], counts)
    if kind is str:
        place = {word: number for number, word in enumerate(dict.fromkeys(values))}
        return _look_up(np.repeat([place[word] for word in values], counts), there, [word or "" for word in place])
    types = {int: np.int64, float: np.float64, bool: np.bool_}
    return _to_arrow(np.repeat(np.array([value or 0 for value in values], dtype=types[kind]), counts), there)


def _look_up(places: NDArray[Any], there: NDArray[np.bool_], words: Sequence[str]) -> Any:
    """A column of words, of which it has the places; empty where they are not `there`."""
    import pyarrow as pa

    texts = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    known = pa.Array.from_buffers(pa.string(), len(words), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))])
    return pa.DictionaryArray.from_arrays(_to_arrow(np.where(there, places, 0).astype(np.int32), there), known)


def _to_arrow(column: NDArray[Any], there: NDArray[np.bool_]) -> Any:
    """A column, empty where it is not `there`; made from its bytes, since `pa.array` would import pandas."""
    import pyarrow as pa

    empty = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    content = np.packbits(column, bitorder="little") if column.dtype == np.bool_ else np.ascontiguousarray(column)
    kinds = {"float64": pa.float64(), "int64": pa.int64(), "int32": pa.int32(), "bool": pa.bool_()}
    return pa.Array.from_buffers(kinds[column.dtype.name], len(column), [empty, pa.py_buffer(content)])


def _choose_type(types: set[type]) -> type:
    """The type of a column: the only one that its values have, a number where all are, or else text."""
    known = types - {type(None)}
    if len(known) == 1:
        return next(iter(known))
    return float if known == {int, float} else str
