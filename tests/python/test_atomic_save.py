"""Saving is all or nothing: killed, on a full disk, in a folder that may not be written."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import deltarule as dr

KILLS = int(os.environ.get("DELTARULE_KILLS", "20"))

# Saves two networks by turns, again and again. The first save ends before the first byte is written.
SAVER = """
import sys
import deltarule as dr
nets = [dr.load(path) for path in sys.argv[2:]]
while True:
    for net in nets:
        net.save(sys.argv[1])
        print(end=".", flush=True)
"""

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and limits")


@pytest.fixture
def two_models(tmp_path):
    """Files of two networks of half a megabyte."""
    paths = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for seed, path in enumerate(paths):
        dr.Sequential([dr.Dense(256), dr.Dense(256)], seed=seed).build(256).save(path)
    return paths


@posix
def test_a_killed_process_leaves_the_old_or_the_new_file(tmp_path, two_models):
    """``DELTARULE_KILLS=200`` for more kills than by default."""
    folder = tmp_path / "saved"
    folder.mkdir()
    target = folder / "model.safetensors"
    whole = [path.read_bytes() for path in two_models]
    rng = np.random.default_rng(7)
    seen, interrupted = set(), 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, target, *two_models],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with process, process.stdout:
            assert process.stdout.read(1) == b".", "the process saves"
            time.sleep(rng.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL
        content = target.read_bytes()
        assert content in whole
        seen.add(whole.index(content))
        left = [path for path in folder.iterdir() if path != target]
        assert len(left) <= 1
        interrupted += len(left)
        for path in left:  # what such a kill leaves is named after the model and can be told from it
            assert path.name.startswith("model.safetensors.tmp-")
            path.unlink()
    assert seen == {0, 1}
    assert interrupted > KILLS // 10, "too few kills hit a save"


# ---- disks and folders that refuse

PREPARE = """
import errno, os, sys
import numpy as np
import deltarule as dr
target = sys.argv[1]
net = dr.Sequential([dr.Dense(256), dr.Dense(256)], seed=1).build(256)
small = dr.Sequential([dr.Dense(2)]).build(2)

def refused(net):
    before = open(target, "rb").read()
    try:
        net.save(target)
    except OSError as error:
        assert repr(target)[1:-1] in str(error), error
        print(errno.errorcode[error.errno], end=" ")
    else:
        print("saved", end=" ")
    assert open(target, "rb").read() == before
    assert os.listdir(os.path.dirname(target)) == [os.path.basename(target)]
    dr.load(target)
"""

LIMITED = """
import resource
small.save(target)
for limit in (100, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    refused(net)
"""

UNPRIVILEGED = """
small.save(target)
folder = os.path.dirname(target)
os.chmod(folder, 0o555)
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
refused(net)
"""

MOUNTED = """
import subprocess
folder = os.path.dirname(target)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], check=True)
small.save(target)
refused(net)
small.save(target)
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
refused(small)
"""


@pytest.fixture
def open_folder(tmp_path):
    """A folder that any user may look into (pytest's own may not)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        model = Path(folder) / "models"
        model.mkdir()
        yield model
        model.chmod(0o755)


def in_namespace(*options):
    """The command before a command that gives it mounts or process numbers of its own, or skip."""
    command = ["unshare", "--map-root-user", *options]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare of util-linux")
    if tried.returncode:
        pytest.skip(f"this system gives no namespaces: {tried.stderr.decode().strip()}")
    return command


def printed(script, target, *before):
    done = subprocess.run(
        [*before, sys.executable, "-c", PREPARE + script, str(target)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@posix
def test_files_that_may_not_grow(open_folder):
    assert printed(LIMITED, open_folder / "model.safetensors") == ["EFBIG", "EFBIG"]


@posix
def test_a_folder_without_the_right_to_write(open_folder):
    assert printed(UNPRIVILEGED, open_folder / "model.safetensors") == ["EACCES"]


@posix
def test_a_full_disk_and_a_read_only_one(open_folder):
    before = in_namespace("--mount")
    assert printed(MOUNTED, open_folder / "model.safetensors", *before) == ["ENOSPC", "EROFS"]


# Saves in a child whenever it is told to, and prints how that went.
CHILDREN = """
import os, sys
import deltarule as dr
net = dr.load(sys.argv[2])
print("ready", flush=True)
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            net.save(sys.argv[1])
        except OSError as error:
            print(error, flush=True)
            os._exit(1)
        os._exit(0)
    print(child, os.waitpid(child, 0)[1], flush=True)
"""


@posix
def test_processes_of_the_same_number_do_not_share_a_temporary_file(tmp_path, two_models):
    """As in two containers that save into one folder."""
    target = tmp_path / "model.safetensors"
    whole = [path.read_bytes() for path in two_models]
    command = [*in_namespace("--pid", "--fork", "--kill-child"), sys.executable, "-c", CHILDREN, str(target)]
    options = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "text": True,
        "env": os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    }
    with ExitStack() as stack:
        savers = [stack.enter_context(subprocess.Popen([*command, path], **options)) for path in two_models]
        for saver in savers:
            assert saver.stdout.readline() == "ready\n"
        for _ in range(20):
            for saver in savers:
                saver.stdin.write("save\n")
                saver.stdin.flush()
            first, second = (saver.stdout.readline() for saver in savers)
            assert first == second, "children of one number, both without an error"
            assert first.endswith(" 0\n")
            assert target.read_bytes() in whole
        for saver in savers:
            saver.stdin.close()
