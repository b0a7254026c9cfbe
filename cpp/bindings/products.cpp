// Products on arrays.
#include <deltarule/engine/gemm.h>
#include <deltarule/engine/reduce.h>
#include <deltarule/engine/team.h>

#include "common.h"

namespace deltarule::bindings {
namespace {

// The caller's rows end where their array ends; the product may look a little further.
template <class T>
engine::Buffer<T> with_slack(const T* data, std::size_t size) {
  engine::Buffer<T> copy(size);
  std::copy_n(data, size, copy.data());
  return copy;
}

// Shares the rows or the columns of C among the threads. The operand B is copied where its last row could be
// read past.
template <class T>
void shared_product(engine::Product<T> p, std::size_t b_size) {
  const py::gil_scoped_release release;
  constexpr std::ptrdiff_t lanes = engine::alignment / sizeof(T);
  engine::Buffer<T> b, bias;
  if (p.b_column == 1 && p.n % lanes != 0 && p.k > 0) {
    b = with_slack(p.b, b_size);
    p.b = b.data();
  }
  if (p.bias && p.n % lanes != 0) {
    bias = with_slack(p.bias, static_cast<std::size_t>(p.n));
    p.bias = bias.data();
  }
  const double flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const int threads = flops < 4e6 ? 1 : engine::threads();
  const bool by_rows = p.m >= p.n;
  const std::ptrdiff_t unit = by_rows ? 24 : 64, length = by_rows ? p.m : p.n,
                       units = (length + unit - 1) / unit;
  // One part per thread, each with a workspace of its own, made before the team starts: a task must not
  // throw.
  std::vector<engine::Buffer<T>> workspaces;
  std::vector<engine::Product<T>> parts;
  for (int t = 0; t < threads; ++t) {
    const std::ptrdiff_t begin = std::min(length, units * t / threads * unit),
                         end = std::min(length, units * (t + 1) / threads * unit);
    if (begin >= end) continue;
    engine::Product<T> part = p;
    (by_rows ? part.m : part.n) = end - begin;
    if (by_rows) {
      part.a += begin * p.a_row;
      part.c += begin * p.c_row;
    } else {
      part.b += begin * p.b_column;
      part.c += begin;
      if (part.bias) part.bias += begin;
    }
    parts.push_back(part);
    workspaces.emplace_back(engine::workspace_size<T>(part.m, part.n, part.k, part.b_column == 1));
  }
  engine::parallel_for(threads, static_cast<int>(parts.size()), [&](int, int i) {
    engine::multiply(parts[static_cast<std::size_t>(i)], workspaces[static_cast<std::size_t>(i)].data());
  });
}

void matmul(const py::array& a, const py::array& b, py::array out, bool transpose_a, bool transpose_b) {
  two_axes(a, "a");
  two_axes(b, "b");
  const auto m = a.shape(transpose_a ? 1 : 0), k = a.shape(transpose_a ? 0 : 1),
             n = b.shape(transpose_b ? 0 : 1);
  if (b.shape(transpose_b ? 1 : 0) != k)
    throw py::value_error("matmul: a " + shape_text(a) + " and b " + shape_text(b) + " do not fit");
  expect_shape(out, {m, n}, "out");
  by_type(a, "a", [&]<class T>(T) {
    shared_product<T>({.m = m,
                       .n = n,
                       .k = k,
                       .a = numbers<T>(a, "a"),
                       .a_row = transpose_a ? 1 : k,
                       .a_step = transpose_a ? m : 1,
                       .b = numbers<T>(b, "b"),
                       .b_step = transpose_b ? 1 : n,
                       .b_column = transpose_b ? k : 1,
                       .c = writable<T>(out, "out"),
                       .c_row = n},
                      static_cast<std::size_t>(b.size()));
  });
}

void dense_forward(const py::array& x, const py::array& w, const py::object& bias, py::array out) {
  two_axes(x, "x");
  two_axes(w, "w");
  expect_shape(w, {x.shape(1), w.shape(1)}, "w");
  expect_shape(out, {x.shape(0), w.shape(1)}, "out");
  by_type(x, "x", [&]<class T>(T) {
    engine::Product<T> p{.m = x.shape(0),
                         .n = w.shape(1),
                         .k = x.shape(1),
                         .a = numbers<T>(x, "x"),
                         .a_row = x.shape(1),
                         .b = numbers<T>(w, "w"),
                         .b_step = w.shape(1),
                         .c = writable<T>(out, "out"),
                         .c_row = w.shape(1)};
    if (!bias.is_none()) {
      const auto b = py::cast<py::array>(bias);
      expect_shape(b, {w.shape(1)}, "b");
      p.start = engine::Start::bias;
      p.bias = numbers<T>(b, "b");
    }
    shared_product<T>(p, static_cast<std::size_t>(w.size()));
  });
}

void dense_backward(const py::array& x, const py::array& w, const py::array& dy, py::object dx, py::array dw,
                    py::object db) {
  two_axes(x, "x");
  two_axes(w, "w");
  expect_shape(w, {x.shape(1), w.shape(1)}, "w");
  expect_shape(dy, {x.shape(0), w.shape(1)}, "dy");
  same_shape(w, dw, "w", "dw");
  by_type(x, "x", [&]<class T>(T) {
    const auto rows = x.shape(0), in = x.shape(1), outputs = w.shape(1);
    const T *px = numbers<T>(x, "x"), *pw = numbers<T>(w, "w"), *pg = numbers<T>(dy, "dy");
    shared_product<T>({.m = in,
                       .n = outputs,
                       .k = rows,
                       .a = px,
                       .a_row = 1,
                       .a_step = in,
                       .b = pg,
                       .b_step = outputs,
                       .c = writable<T>(dw, "dw"),
                       .c_row = outputs},
                      static_cast<std::size_t>(dy.size()));
    if (!dx.is_none()) {
      auto d = py::cast<py::array>(dx);
      same_shape(x, d, "x", "dx");
      shared_product<T>({.m = rows,
                         .n = in,
                         .k = outputs,
                         .a = pg,
                         .a_row = outputs,
                         .b = pw,
                         .b_step = 1,
                         .b_column = outputs,
                         .c = writable<T>(d, "dx"),
                         .c_row = in},
                        static_cast<std::size_t>(w.size()));
    }
    if (!db.is_none()) {
      auto d = py::cast<py::array>(db);
      expect_shape(d, {outputs}, "db");
      engine::column_sums<T>(rows, outputs, writable<T>(d, "db"),
                             [&](std::ptrdiff_t i, auto span) { return span.load(pg + i * outputs); });
    }
  });
}

}  // namespace

void bind_products(py::module_& m) {
  m.def("matmul", &matmul);
  m.def("dense_forward", &dense_forward);
  m.def("dense_backward", &dense_backward);
}

}  // namespace deltarule::bindings
