"""The exported C file itself: its self-test, the figures it states, compilers and names, what is refused."""

import re
import subprocess

import numpy as np
import pytest

import deltarule as dr
from reference.c_networks import layer_cases, prepared
from reference.c_programs import CXX, NATIVE, STRICT, C, program, run, targets

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
GCC = NATIVE[0]


def digits_like(dtype="float32"):
    net = dr.Sequential(
        [dr.Standardize(), dr.Dense(24, "relu"), dr.BatchNorm(), dr.Dense(10)], seed=2, dtype=dtype
    )
    rng = np.random.default_rng(1)
    X, y = 30 + 500 * rng.normal(size=(400, 16)), rng.integers(0, 10, 400)
    net.compile("adam", "sparse_softmax_cross_entropy")
    net.fit(X, y, epochs=2, verbose=0)
    return net, X.astype(dtype)


@TYPES
def test_self_test_can_fail(tmp_path, dtype):
    """It passes as written; with a weight off by a thousandth, or other outputs, it counts them."""
    net, X = digits_like(dtype)
    path = tmp_path / "model.h"
    net.export_c(path, test_inputs=X[:3])
    text = path.read_text()
    main = '#include "model.h"\nint main(void) { return model_self_test(); }\n'

    def failing(changed):
        path.write_text(changed)
        out = program(tmp_path, GCC, main, "-I", str(tmp_path))
        return subprocess.run([str(out)], check=False).returncode

    assert failing(text) == 0
    weight = re.search(r"model_dense_2_weight\[\d+\] = \{\s+(-?[\d.]+)", text)
    altered = text[: weight.start(1)] + repr(float(weight[1]) * 1.001) + text[weight.end(1) :]
    assert 0 < failing(altered) <= 3  # output 0 of some of three rows
    last = text.index("model_test_output")
    value = re.search(r"\{\s+(-?[\d.]+)", text[last:])
    at = last + value.start(1)
    assert failing(text[:at] + "1e6" + text[at + len(value[1]) :]) == 1
    rows = re.search(r"model_test_input\[(\d+)\]", text)
    assert int(rows[1]) == 3 * 16


COUNTED = """
#include <cmath>
#include <cstdio>
#include <cstdlib>
static long additions, products, divisions;
struct Counted {
  float v;
  constexpr Counted() : v(0) {}
  constexpr Counted(double x) : v(static_cast<float>(x)) {}
  explicit operator size_t() const { return static_cast<size_t>(v); }
  Counted operator-() const { return Counted(-v); }
  Counted& operator+=(Counted b) { return ++additions, v += b.v, *this; }
  Counted& operator/=(Counted b) { return ++divisions, v /= b.v, *this; }
};
#define OPERATION(sign, count) \\
  inline Counted operator sign(Counted a, Counted b) { return ++count, Counted(a.v sign b.v); }
OPERATION(+, additions)
OPERATION(-, additions)
OPERATION(*, products)
OPERATION(/, divisions)
#define COMPARISON(sign) inline bool operator sign(Counted a, Counted b) { return a.v sign b.v; }
COMPARISON(<)
COMPARISON(>)
COMPARISON(<=)
COMPARISON(>=)
COMPARISON(==)
COMPARISON(!=)
inline Counted sqrtf(Counted x) { return std::sqrt(x.v); }
inline Counted expf(Counted x) { return std::exp(x.v); }
inline Counted sinf(Counted x) { return std::sin(x.v); }
inline Counted cosf(Counted x) { return std::cos(x.v); }
inline Counted fabsf(Counted x) { return std::fabs(x.v); }
inline Counted nearbyintf(Counted x) { return std::nearbyint(x.v); }
#define float Counted
#include "model.h"
int main() {
  Counted x[MODEL_INPUTS], y[MODEL_OUTPUTS];
  for (int i = 0; i < MODEL_INPUTS; ++i) x[i] = Counted(i % 2);
  model_predict(x, y);
  std::printf("%ld %ld %ld", additions, products, divisions);
}
"""


def figures(text):
    """What the comment says: bytes of constants, bytes of memory, additions, multiplications, divisions."""
    head = text[: text.index("*/")].replace(",", "")
    found = re.search(
        r"flash +(\d+) bytes.*RAM +(\d+) bytes.*FLOP +(\d+) a run: (\d+) additions and subtractions (\d+) "
        r"multiplications (\d+) divisions",
        head,
        re.DOTALL,
    )
    flash, ram, total, *parts = map(int, found.groups())
    assert total == sum(parts)
    return flash, ram, parts


LINEAR = [  # no activation but relu, whose comparisons are not counted
    [dr.Dense(24, "relu"), dr.Dense(11, use_bias=False), dr.Dense(10)],
    [dr.Dense(800), dr.Dense(3)],
    [dr.Standardize(), dr.BatchNorm(), dr.Dense(4), dr.LayerNorm(), dr.RMSNorm()],
    [dr.RBF(5), dr.PeriodicEmbedding(3)],
    [dr.Embedding((0, 1), (2, 2), dimension=3), dr.Dense(2)],
    [dr.Residual([dr.Dense(40)]), dr.Branches([[dr.Dense(3)], [dr.Dense(3)], [dr.Dense(3)]], "mean")],
    [
        dr.Reshape((5, 4, 2)),
        dr.Conv2D(3, 3, "relu", padding="same"),
        dr.MaxPool2D(),
        dr.Conv2D(2, 2, strides=2),
    ],
]


@pytest.mark.parametrize("layers", LINEAR)
def test_operations_are_exact(layers, tmp_path):
    """The file is compiled with a number type that counts what is done with it."""
    net = dr.Sequential(layers).build(40)
    net.export_c(tmp_path / "model.h")
    counting = tmp_path / "count.cpp"
    counting.write_text(COUNTED)
    subprocess.run(["g++", "-std=c++17", str(counting), "-o", str(tmp_path / "count")], check=True)
    counted = subprocess.run([str(tmp_path / "count")], capture_output=True, text=True, check=True)
    assert list(map(int, counted.stdout.split())) == figures((tmp_path / "model.h").read_text())[2]


@TYPES
def test_memory_is_exact(dtype, tmp_path, rng):
    """Under the address sanitizer, with working memory of exactly the size that the file says."""
    bytes_ = np.dtype(dtype).itemsize
    for layers in (layers for all_ in layer_cases().values() for layers in all_):
        net, _ = prepared(layers, dtype, rng)
        net.export_c(tmp_path / "model.h")
        flash, ram, _ = figures((tmp_path / "model.h").read_text())
        net_bytes = bytes_ * sum(a.size for a in net.get_weights().values())
        if {type(layer) for layer in layers} <= {dr.Dense, dr.Activation, dr.Dropout}:
            assert flash == net_bytes
        real = "float" if dtype == "float32" else "double"
        source = (
            '#include <stdlib.h>\n#include "model.h"\nint main(void) {\n'
            f"  {real} x[MODEL_INPUTS] = {{0}}, y[MODEL_OUTPUTS];\n"
            f"  {real} *work = ({real} *)malloc({ram} + 0u);\n"
            f"  model_run(x, y, work);\n  free(work);\n  return MODEL_CONSTANT_BYTES != {flash};\n}}\n"
        )
        out = program(tmp_path, GCC, source, "-I", str(tmp_path), "-fsanitize=address,undefined", "-g")
        run(out, GCC)


def test_memory_is_shared(tmp_path):
    """Values that are not alive together share their place: two buffers for a chain of any length."""
    dr.Sequential([dr.Dense(50, "tanh") for _ in range(9)]).build(8).export_c(tmp_path / "model.h")
    assert figures((tmp_path / "model.h").read_text())[1] == 2 * 50 * 4


def test_two_networks_and_several_files(tmp_path, rng):
    """Prefixes keep them apart, and a file may be included from several sources."""
    small, big = dr.Sequential([dr.Dense(2)]).build(3), dr.Sequential([dr.Dense(5, "tanh")]).build(4)
    small.export_c(tmp_path / "a.h", prefix="a_1")
    big.export_c(tmp_path / "b.h", prefix="Net")
    other = (
        '#include "a.h"\n#include "b.h"\nint other(void);\n'
        "int other(void) { return a_1_self_test() + Net_self_test(); }\n"
    )
    main = (
        other.replace("other(void)", "mine(void)")
        + "int other(void);\nint main(void) { return mine() + other(); }\n"
    )
    (tmp_path / "other.c").write_text(other)
    (tmp_path / "main.c").write_text(main)
    files = [str(tmp_path / "main.c"), str(tmp_path / "other.c")]
    subprocess.run(["gcc", "-std=c99", *STRICT, *files, "-o", str(tmp_path / "both"), "-lm"], check=True)
    subprocess.run([str(tmp_path / "both")], check=True)


@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize("language", [C, CXX], ids=["C", "C++"])
def test_alone_and_unused(level, language, tmp_path):
    """The header by itself, none of its functions called, raises no warning."""
    digits_like()[0].export_c(tmp_path / "model.h")
    (tmp_path / "alone.c").write_text('#include "model.h"\nint main(void) { return 0; }\n')
    compiler = "gcc" if language is C else "g++"
    command = [
        compiler,
        *language,
        level,
        *STRICT,
        "-Wshadow",
        "-Wdouble-promotion",
        str(tmp_path / "alone.c"),
    ]
    subprocess.run([*command, "-o", str(tmp_path / "alone"), "-lm"], check=True)


@TYPES
@pytest.mark.parametrize("level", ["-O2", "-O3"])
@pytest.mark.parametrize("target", targets(NATIVE))
def test_optimized_without_a_warning(target, level, dtype, tmp_path, rng):
    """Once calls are inlined, compilers know every size: widths of 8 and others, inputs of several blocks."""
    layers = [
        dr.Dense(16, "tanh"),
        dr.Residual([dr.Dense(16, "relu")]),
        dr.Dense(800, "gelu"),
        dr.Dense(24, use_bias=False),
        dr.Dense(3, "softmax"),
    ]
    net, _ = prepared(layers, dtype, rng)
    net.export_c(tmp_path / "model.h")
    source = '#include "model.h"\nint main(void) { return model_self_test(); }\n'
    run(program(tmp_path, target, source, "-I", str(tmp_path), level), target)


def test_comment_cannot_end_the_comment(tmp_path):
    net = dr.Sequential([dr.Dense(2, name="*/ int x; /*")]).build(2)
    for comment in ["*/ #error", "a\\\nb", "??/\nint", "tab\t\x01", "größer", "/*", "**/"]:
        net.export_c(tmp_path / "model.h", comment=comment)
        program(tmp_path, GCC, '#include "model.h"\nint main(void) { return model_self_test(); }\n')
    assert "größer" not in (tmp_path / "model.h").read_text()


def own_layer():
    class Twice:
        def build(self, input_width):
            return input_width, {}

        def forward(self, x, parameters, training):
            return 2 * x

        def backward(self, x, y, dy, parameters):
            return 2 * dy, {}

    return dr.custom.layer(Twice, name="twice_for_c")()


def broken(value):
    net = dr.Sequential([dr.Dense(2)]).build(2)
    net.parameters()["dense_1.weight"][0, 0] = value
    return net


REFUSED = {
    "layer": (
        lambda: dr.Sequential([dr.Dense(2), own_layer()]).build(3),
        {},
        r"export_c: layer 'twice_for_c_1' \(twice_for_c\) is not of the catalogue and cannot be written as C",
    ),
    "activation": (
        lambda: dr.Sequential(
            [dr.Dense(2, dr.custom.activation(lambda x: x * x, lambda x: 2 * x, name="square_for_c"))]
        ).build(3),
        {},
        "export_c: activation 'square_for_c' is not of the catalogue",
    ),
    "nan": (lambda: broken(np.nan), {}, "export_c: array 'dense_1.weight' holds a number that is not finite"),
    "prefix": (
        lambda: broken(1),
        {"prefix": "2x"},
        "export_c: prefix = '2x' is not allowed; allowed: a name",
    ),
    "keyword": (lambda: broken(1), {"prefix": "double"}, "export_c: prefix = 'double' is not allowed"),
    "rows": (
        lambda: broken(1),
        {"test_inputs": np.ones((3, 5))},
        r"Sequential\.export_c: test_inputs has shape \(3, 5\); allowed: \(N, 2\)",
    ),
    "huge": (
        lambda: dr.Sequential([dr.Activation({"name": "leaky_relu", "alpha": 1e300})]).build(1),
        {},
        "export_c: leaky_relu: alpha = .* is beyond float32",
    ),
    "index": (
        lambda: dr.Sequential([dr.Embedding((0,), (3,), dimension=2)]).build(1),
        {"test_inputs": [[3.0]]},
        "column 0 of row 0 holds 3, which is no index",
    ),
    "overflow": (
        lambda: broken(1),
        {"test_inputs": [[3e38, 3e38]]},
        "export_c: test_inputs: row 0 has outputs that are not finite",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_a_file_is_written(case, tmp_path):
    make, options, message = REFUSED[case]
    if case == "overflow":
        net = dr.Sequential([dr.Dense(2)]).build(2)
        net.parameters()["dense_1.weight"][...] = 1
    else:
        net = make()
    path = tmp_path / "model.h"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        net.export_c(path, **options)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_refused_without_network_or_folder(tmp_path):
    with pytest.raises(RuntimeError, match=r"Sequential\.export_c: the network is not built"):
        dr.Sequential([dr.Dense(2)]).export_c(tmp_path / "model.h")
    with pytest.raises(OSError, match="cannot write"):
        broken(1).export_c(tmp_path / "no folder" / "model.h")
