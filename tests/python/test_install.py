"""What an installation answers: which core it loads, what it weighs at import, where its C++ part is."""

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deltarule import _cpu, _isa

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python in a new process, away from the repository."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


CORE = "from deltarule import _isa; print(_isa.load().config()['isa'])"
LEVEL = _cpu.level()
x86 = pytest.mark.skipif(LEVEL == 0, reason="levels are a matter of x86-64")


@x86
@pytest.mark.parametrize("level", ["v2", "v3", "v4"])
def test_level_is_taken_or_refused(run: Run, level: str) -> None:
    done = run("-c", CORE, DELTARULE_ISA=level)
    if int(level[1]) > LEVEL:
        assert f"ImportError: DELTARULE_ISA={level}: this CPU runs x86-64-v{LEVEL} at most" in done.stderr
    elif done.returncode:  # a development build has one level only
        assert f"this build of deltarule holds no library for x86-64-{level} or lower" in done.stderr
    else:
        built = _cpu.build()[0].split()
        assert done.stdout.strip() == max(name for name in built if name <= level)


@x86
def test_unknown_level(run: Run) -> None:
    assert (
        "ImportError: DELTARULE_ISA=avx: choose from v2, v3, v4"
        in run("-c", CORE, DELTARULE_ISA="avx").stderr
    )


@pytest.mark.parametrize(
    ("wanted", "levels", "cpu", "chosen"),
    [
        ("", "v2 v3 v4", 4, "v4"),
        ("", "v2 v3 v4", 3, "v3"),
        ("", "v2 v3", 4, "v3"),
        ("v3", "v2 v4", 4, "v2"),
        ("v2", "v2 v3 v4", 4, "v2"),
        ("", "generic", 0, "generic"),
        ("generic", "generic", 0, "generic"),
        ("", "custom", 2, "custom"),
    ],
)
def test_choice(wanted: str, levels: str, cpu: int, chosen: str) -> None:
    assert _isa._choose(wanted, levels.split(), cpu) == chosen


@pytest.mark.parametrize(
    ("wanted", "levels", "cpu", "says"),
    [
        ("", "v2 v3 v4", 1, "holds no library for x86-64-v1 or lower"),
        ("v2", "v3", 4, "holds no library for x86-64-v2 or lower"),
        ("v4", "v2 v3 v4", 3, "DELTARULE_ISA=v4: this CPU runs x86-64-v3 at most"),
        ("avx", "v2", 4, "DELTARULE_ISA=avx: choose from v2, v3, v4"),
        ("v2", "generic", 0, "DELTARULE_ISA=v2: this build has only the level 'generic'"),
    ],
)
def test_no_choice(wanted: str, levels: str, cpu: int, says: str) -> None:
    with pytest.raises(ImportError, match=says):
        _isa._choose(wanted, levels.split(), cpu)


def test_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_isa, "_PACKAGE", "email")
    with pytest.raises(ImportError, match="deltarule's compiled core is missing: install"):
        _isa.load()


def test_answers(run: Run) -> None:
    version = run("-m", "deltarule", "--version").stdout.strip()
    assert version.count(".") == 2
    config = dict(
        line.split(maxsplit=1) for line in run("-m", "deltarule", "--show-config").stdout.splitlines()
    )
    assert config["version"] == version
    assert config["numpy"] == np.__version__
    assert {"isa", "threads", "eigen", "compiler", "python"} <= set(config)
    cmake = Path(run("-m", "deltarule", "--cmake-dir").stdout.strip())
    assert (cmake / "deltarule-config.cmake").is_file()
    assert (cmake.parent / "include" / "deltarule" / "deltarule.h").is_file()


def test_size() -> None:
    """What is installed, compressed as in a wheel, stays below 5 MB."""
    folder = Path(_cpu.__file__).parent
    files = [f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert len([f for f in files if "libdeltarule" in f.name]) == len(_cpu.build()[0].split())
    assert sum(len(zlib.compress(f.read_bytes())) for f in files) < 5_000_000


def test_one_question_is_wanted(run: Run) -> None:
    done = run("-m", "deltarule")
    assert done.returncode == 2
    assert "--show-config" in done.stderr
    assert "COMMAND" in done.stderr


@pytest.mark.parametrize("module", ["deltarule", "deltarule.cli"])
def test_commands_run_from_the_module(run: Run, module: str, tmp_path: Path) -> None:
    pytest.importorskip("typer")
    (tmp_path / "d.csv").write_text("a,y\n" + "".join(f"{i % 7},{i}\n" for i in range(40)))
    done = run("-m", module, "train", "d.csv", "--target", "-1", "--epochs", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "d.safetensors").is_file()
    done = run("-m", module, "info", "nothing.safetensors")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("deltarule: nothing.safetensors: there is no such file")
    assert run("-m", module, "--debug", "train").returncode == 2
    assert "No such command 'trian'" in run("-m", module, "trian").stderr


def test_import_loads_nothing_heavy(run: Run) -> None:
    loaded = set(run("-c", "import sys, deltarule; print(*sys.modules)").stdout.split())
    assert "numpy" in loaded
    heavy = {"matplotlib", "pandas", "pyarrow", "rich", "scipy", "sklearn", "tqdm", "typer", "torch"}
    assert not heavy & loaded
