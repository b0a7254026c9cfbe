"""Reading files: delimiters, headers, encodings, compression, and all that can be wrong with a file."""

import gzip
import zipfile

import numpy as np
import pytest

from deltarule.data import DataError, OptionError, open_source, read_file

PLAIN = "a,b,c\n1,2.5,x\n3,,y\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, **options):
    return read_file(path, **options)[0]


def check_plain(table):
    assert list(table.columns) == ["a", "b", "c"]
    assert table.rows == 2
    np.testing.assert_array_equal(table.columns["b"].numbers(), [2.5, np.nan])
    assert table.columns["c"].kind == "category"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(write, delimiter):
    check_plain(read(write(PLAIN.replace(",", delimiter))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(write, encoding):
    table = read(write("größe,b\n1,ü\n2,é\n".encode(encoding)))
    assert list(table.columns) == ["größe", "b"]
    assert not table.notices


def test_windows_1252_is_read_with_a_notice(write):
    table = read(write("größe,b\n1,ü\n2,é\n".encode("cp1252")))
    assert list(table.columns) == ["größe", "b"]
    assert "not UTF-8" in table.notices[0]


def test_compressed(write, tmp_path):
    check_plain(read(write(gzip.compress(PLAIN.encode()), "table.csv.gz")))
    with zipfile.ZipFile(tmp_path / "table.zip", "w") as archive:
        archive.writestr("inner.csv", PLAIN)
    check_plain(read(tmp_path / "table.zip"))


def test_quotes_line_ends_and_blank_lines(write):
    table = read(write('name,b\r\n"x, ""y""\nz",1\r\n\r\nw,2\r\n'))
    assert table.columns["name"].texts()[1] == ['x, "y"\nz', "w"]
    assert table.rows == 2


def test_no_header_is_noticed(write):
    table = read(write("1,a\n2,b\n"))
    assert list(table.columns) == ["column_1", "column_2"]
    assert "values, not names" in table.notices[0]
    assert table.rows == 2
    assert read(write("a,b\nc,d\n"), header=False).rows == 2
    assert list(read(write("1,2\n3,4\n"), header=True).columns) == ["1", "2"]


def test_index_column_of_pandas_gets_a_name(write):
    assert list(read(write(",a\n0,5\n1,6\n")).columns) == ["column_1", "a"]


def test_decimal_comma(write):
    np.testing.assert_array_equal(read(write("a;b\n1,5;x\n2,25;y\n")).columns["a"].numbers(), [1.5, 2.25])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("  \n\n", "the file is empty"),
        ("a,b\n", "there are no rows"),
        ("a,b\n1,2\n3\n", "data row 2 has 1 fields, 2 are expected"),
        ("a,a\n1,2\n", "several columns are called 'a'"),
        (b"\x00\x01\x02\x03" * 50, "not text but a binary file"),
        (bytes(range(128, 256)) * 40 + b"\x81\x8d\x01\x02\x03" * 20, "this is not text"),
    ],
)
def test_bad_text(write, content, message):
    with pytest.raises(DataError, match=message):
        read(write(content))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.csv.gz", "damaged or is not one"),
        ("x.zip", "damaged or is not one"),
        ("x.npz", "not a readable NPZ file"),
        ("x.parquet", "not a readable Parquet file"),
    ],
)
def test_garbled_files(write, name, message):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=message):
        read(write(b"this is not what the name says", name))


def test_directory_and_missing_file(tmp_path):
    with pytest.raises(DataError, match="this is a directory"):
        read(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "nothing.csv")


def test_npz(tmp_path):
    X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    np.savez(tmp_path / "d.npz", X=X, y=np.array([0, 1, 0, 1]), other=np.array(["a", "b", "a", "b"]))
    table, target = read_file(tmp_path / "d.npz")
    assert target == "y"
    assert list(table.columns) == ["x1", "x2", "x3", "x4", "x5", "x6", "y"]
    np.testing.assert_array_equal(table.columns["x4"].numbers(), X[:, 1, 0])
    table, target = read_file(tmp_path / "d.npz", target="other")
    assert table.columns["other"].texts()[1] == ["a", "b"]
    with pytest.raises(OptionError, match="no array 'yy'"):
        read_file(tmp_path / "d.npz", target="yy")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, "no array X"),
        ({"X": np.ones(3)}, "rows first"),
        ({"X": np.array([["a"]])}, "must be numbers"),
        ({"X": np.ones((3, 2)), "y": np.ones(4)}, "one value for each of 3 rows"),
        ({"X": np.ones((3, 2)), "y": np.ones(0)}, "one value for each of 3 rows"),
        ({"X": np.ones((3, 2)), "y": np.ones((1, 3))}, "one value for each of 3 rows"),
        ({"X": np.ones((0, 2)), "y": np.ones(0)}, r"X has shape \(0, 2\); there are no rows in it"),
        ({"X": np.array([[1, None]], dtype=object)}, "not a readable NPZ"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "d.npz")


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "i": pa.array([1, None, 3]),
            "f": pa.array([0.5, 1.5, None], pa.float32()),
            "t": pa.array(["a", None, "b"]),
            "d": pa.array(["u", "v", "u"]).dictionary_encode(),
            "b": pa.array([True, False, None]),
            "l": pa.array([[1], [2], []]),
        }
    )
    pq.write_table(table, tmp_path / "d.parquet")
    made = read(tmp_path / "d.parquet")
    assert list(made.columns) == ["i", "f", "t", "d", "b"]
    np.testing.assert_array_equal(made.columns["i"].numbers(), [1, np.nan, 3])
    np.testing.assert_array_equal(made.columns["t"].texts()[0], [0, -1, 1])
    assert made.columns["d"].texts()[1] == ["u", "v"]
    assert made.columns["b"].texts()[1] == ["true", "false"]
    assert "left out" in made.notices[0]


def test_names_that_are_no_data_set():
    with pytest.raises(DataError, match="did you mean 'digits'"):
        open_source("digit")


def test_a_file_goes_before_a_data_set_of_its_name(write, monkeypatch):
    monkeypatch.chdir(write(PLAIN, "iris").parent)
    check_plain(open_source("iris").table)
