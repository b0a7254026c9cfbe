"""Packaged data sets: those that are installed hold what the registry says; the others name their package."""

import importlib.util

import numpy as np
import pytest

from deltarule.data import DATASETS, DataError, FeatureOptions, open_source, prepare

SMALL = [name for name, dataset in DATASETS.items() if dataset.rows < 10_000]


@pytest.mark.parametrize("name", SMALL)
def test_an_installed_data_set_holds_what_the_registry_says(name):
    dataset = DATASETS[name]
    if not dataset.installed:
        pytest.skip(f"{dataset.package} is not installed")
    source = open_source(name)
    assert (source.table.rows, len(source.table.columns) - 1) == (dataset.rows, dataset.columns)
    assert source.target == dataset.target
    options = FeatureOptions(drop=dataset.drop, categorical=dataset.categorical)
    assert prepare(source.table, dataset.target, options=options).target.task == dataset.task


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("deltarule.data.datasets.find_spec", lambda _: None)
    assert not DATASETS["diamonds"].installed
    with pytest.raises(DataError, match="pip install plotnine"):
        open_source("diamonds")


def test_a_moved_file_is_explained(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location(
        "x", tmp_path / "x.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr("deltarule.data.datasets.find_spec", lambda _: spec)
    with pytest.raises(DataError, match="not where plotnine used to keep it"):
        open_source("diamonds")


def test_reading_does_not_import_the_package(new_process):
    pytest.importorskip("sklearn")
    code = """import sys
from deltarule.data import DATASETS
DATASETS["digits"].load()
print("sklearn" in sys.modules)"""
    assert new_process(code) == "False"


def numbers(table):
    return np.stack([column.numbers() for column in list(table.columns.values())[:-1]], axis=1)


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer"])
def test_same_values_as_scikit_learn(name):
    bunch = getattr(pytest.importorskip("sklearn.datasets"), f"load_{name}")()
    source = open_source(name)
    np.testing.assert_array_equal(numbers(source.table), bunch.data)
    codes, levels = source.table.columns[source.target].texts()
    names = ["first", "second", "third"] if name == "wine" else bunch.target_names
    assert [levels[code] for code in codes] == [str(names[label]) for label in bunch.target]


def test_diabetes_has_scikit_learn_s_unscaled_values():
    bunch = pytest.importorskip("sklearn.datasets").load_diabetes(scaled=False)
    table = open_source("diabetes").table
    np.testing.assert_array_equal(numbers(table), bunch.data)
    np.testing.assert_array_equal(table.columns["progression"].numbers(), bunch.target)
    assert list(table.columns)[:-1] == bunch.feature_names
