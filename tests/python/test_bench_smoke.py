"""The benchmarks run: one small case of each kind, its shape checked and never its times."""

import copy
import json
from dataclasses import replace

import pytest
from bench import compare, limits, readme, scaling, tables
from bench import results as kept
from bench.__main__ import main
from bench.cases import all_cases, select
from bench.workloads import WORKLOADS

KINDS = {case.group for case in all_cases() if case.quick}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "smoke.json"
    code = main(["run", "--quick", "--output", str(path)])
    return code, json.loads(path.read_text())


@pytest.mark.slow
def test_every_kind_of_case_gives_times_that_agree(results):
    code, found = results
    failures = [e["error"] for r in found["records"] for e in r["competitors"].values() if "error" in e]
    assert failures == []
    assert {record["group"] for record in found["records"]} == KINDS
    for record in found["records"]:
        entry = record["competitors"]["deltarule"]
        assert 0 < entry["best"] <= entry["time"]
        assert entry["low"] <= entry["time"] <= entry["high"]
        assert all(e.get("agrees", True) for e in record["competitors"].values()), record["case"]
    assert code == 0


@pytest.mark.slow
def test_results_name_the_machine_and_versions(results):
    _, found = results
    assert {"date", "commit", "processor", "processors", "python", "core"} <= found["machine"].keys()
    assert {"deltarule", "numpy"} <= found["versions"].keys()


@pytest.mark.slow
def test_a_result_is_shown_and_compared_with_itself(results):
    _, found = results
    text = tables.tables(found)
    assert "### training, 1 thread" in text
    assert "| T2 |" in text
    changes = compare.changes(found, found)
    assert len(changes) == len(found["records"])
    assert {change.verdict(0.05) for change in changes} == {""}
    assert limits.rates(found, 1).keys() >= {"GFLOP/s", "GB/s in 24 KiB"}


MACHINE = scaling.Constants(
    flops=100.0,
    together=100.0,
    copies={384 << 10: 150.0, 6 << 20: 90.0},
    both={384 << 10: 300.0, 6 << 20: 160.0},
    phase=0.5,
    rewrite=0.1,
)


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_model_of_one_thread_is_the_measurement(name):
    workload = WORKLOADS[name]
    least = scaling.step(workload, MACHINE, 1, 0.0).all
    assert least >= workload.product_flops() / MACHINE.flops / 1e3
    assert scaling.step(workload, MACHINE, 1, 3 * least).all == pytest.approx(3 * least)


def test_the_model_shares_products_among_the_row_tiles():
    workload = WORKLOADS["T3-adam" if "T3-adam" in WORKLOADS else "T3"]
    one, four = (scaling.step(workload, MACHINE, n, 1e4) for n in (1, 4))
    assert 0.25 * one.products <= four.products < 0.3 * one.products
    assert one.exchange == one.phases == 0
    assert four.phases == pytest.approx(2 * 0.5 * 2)
    # 784-256-128-10 and a batch of 128: weights, transposes of all but the first, three of four rows of the
    # values and gradients on both sides of every layer
    written = 4 * (784 * 256 + 2 * (256 * 128 + 128 * 10)) + 0.75 * 4 * 128 * (784 + 2 * (256 + 128) + 10)
    still = scaling.step(workload, replace(MACHINE, rewrite=0.0), 4, 1e4)
    assert four.exchange - still.exchange == pytest.approx(0.1 * written / 4 / 1024)
    hot = scaling.step(workload, replace(MACHINE, together=50.0), 4, 1e4)
    assert hot.products == pytest.approx(2 * four.products)
    slow = replace(MACHINE, phase=1e4)
    assert scaling.paying(workload, slow, one.all) == 1
    assert scaling.paying(workload, MACHINE, one.all) >= 4


def _result(own, peer, others=0.0):
    def entry(time):
        return {"time": time, "low": 0.98 * time, "high": 1.02 * time, "others": others}

    record = {"case": "training/T2", "group": "training", "threads": 1, "name": "T2"}
    return {"records": [{**record, "competitors": {"deltarule": entry(own), "numpy": entry(peer)}}]}


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (_result(10.2, 100), ""),  # within the tolerance
        (_result(15, 100), "SLOWER"),
        (_result(15, 150), ""),  # the whole machine was slower
        (_result(7, 100), "faster"),
        (_result(15, 100, others=0.5), "slower?"),
    ],
)
def test_compare_takes_out_noise(after, verdict):
    (change,) = compare.changes(_result(10, 100), after)
    assert change.verdict(0.05) == verdict


def test_compare_fails_if_slower(tmp_path, capsys):
    machine = {"machine": {"processor": {}, "processors": 2}, "versions": {}, "format": 1}
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(_result(10, 100) | machine))
    after.write_text(json.dumps(_result(15, 100) | copy.deepcopy(machine)))
    assert main(["compare", str(before), str(after)]) == 1
    assert main(["compare", str(after), str(before)]) == 0
    assert "SLOWER" in capsys.readouterr().out


def test_cases_are_found_by_group_name_and_wildcard():
    assert {case.group for case in select(["norms"])} == {"norms"}
    assert [case.name for case in select(["training/T3"])] == ["T3-sgdm", "T3-adam"]
    assert all("gelu" in case.name for case in select(["*gelu*"]))
    assert len({case.key for case in all_cases()}) == len(all_cases())
    with pytest.raises(SystemExit, match="no case matches"):
        select(["nonsense"])


def test_the_readme_shows_the_kept_result():
    assert readme.block(kept.read("reference")) in readme.README.read_text()
