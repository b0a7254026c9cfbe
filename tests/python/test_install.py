"""What an installation answers: which core it loads, what it weighs at import, where its C++ part is."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deltarule import _isa

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


CORE = "from deltarule import _isa; print(_isa.load().__name__, _isa.load().config()['isa'])"
LEVEL = _isa._cpu_level()
x86 = pytest.mark.skipif(LEVEL == 0, reason="levels are a matter of x86-64")


@x86
@pytest.mark.parametrize("level", ["v2", "v3", "v4"])
def test_level_is_taken_or_refused(run: Run, level: str) -> None:
    done = run("-c", CORE, DELTARULE_ISA=level)
    if int(level[1]) > LEVEL:
        assert f"ImportError: DELTARULE_ISA={level}: this CPU runs x86-64-v{LEVEL} at most" in done.stderr
    elif done.returncode:  # a development build has one level only
        assert f"this build of deltarule holds no core for x86-64-{level} or lower" in done.stderr
    else:
        module, isa = done.stdout.split()
        assert module == f"deltarule._core_{isa}"
        assert isa <= level


@x86
def test_unknown_level(run: Run) -> None:
    assert (
        "ImportError: DELTARULE_ISA=avx: choose from v2, v3, v4"
        in run("-c", CORE, DELTARULE_ISA="avx").stderr
    )


@x86
def test_old_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELTARULE_ISA", raising=False)
    monkeypatch.setattr(_isa, "_cpu_level", lambda: 1)
    with pytest.raises(ImportError, match="holds no core for x86-64-v1 or lower"):
        _isa.load()


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


def test_one_question_is_wanted(run: Run) -> None:
    done = run("-m", "deltarule")
    assert done.returncode == 2
    assert "--show-config" in done.stderr


def test_import_loads_nothing_heavy(run: Run) -> None:
    loaded = set(run("-c", "import sys, deltarule; print(*sys.modules)").stdout.split())
    assert "numpy" in loaded
    heavy = {"matplotlib", "pandas", "pyarrow", "rich", "scipy", "sklearn", "tqdm", "typer", "torch"}
    assert not heavy & loaded
