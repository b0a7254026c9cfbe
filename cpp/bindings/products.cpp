// Products on arrays.
#include <deltarule/engine/product.h>
#include <deltarule/engine/reduce.h>

#include "common.h"

namespace deltarule::bindings {
namespace {

// A C-contiguous matrix as it lies in memory, if `object` is one of a type and layout that needs no
// conversion.
struct Given {
  const void* data = nullptr;
  py::ssize_t rows = 0, columns = 0;
  int type = 0;
  bool writable = false;

  explicit Given(PyObject* object) {
    const auto& api = py::detail::npy_api::get();
    if (Py_TYPE(object) != api.PyArray_Type_) return;
    const auto* array = py::detail::array_proxy(object);
    const auto* number = py::detail::array_descriptor_proxy(array->descr);
    if (array->nd != 2 || !(array->flags & py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_) ||
        number->byteorder != '=')
      return;
    data = array->data, rows = array->dimensions[0], columns = array->dimensions[1];
    type = number->type_num;
    writable = (array->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) != 0;
  }
  py::ssize_t bytes(py::ssize_t size) const { return rows * columns * size; }
};

template <class T>
void run(engine::Product<T> p) {
  constexpr std::ptrdiff_t short_time =
      100'000;  // of multiply-adds; shorter than other threads' wait for the lock
  if (p.m * p.n * p.k < short_time) return engine::product(p);
  const py::gil_scoped_release release;
  engine::product(p);
}

template <class T>
void product_of(const Given& a, const Given& b, const Given& out, bool transpose_a, bool transpose_b) {
  run<T>({.m = out.rows,
          .n = out.columns,
          .k = transpose_a ? a.rows : a.columns,
          .a = static_cast<const T*>(a.data),
          .a_row = transpose_a ? 1 : a.columns,
          .a_step = transpose_a ? a.columns : 1,
          .b = static_cast<const T*>(b.data),
          .b_step = transpose_b ? 1 : b.columns,
          .b_column = transpose_b ? b.columns : 1,
          .c = static_cast<T*>(const_cast<void*>(out.data)),
          .c_row = out.columns});
}

// matmul(a, b, out, transpose_a, transpose_b): True when done; False where the arguments have to be looked
// at, and nothing was done. Without pybind11's way of calling, which takes longer than a small product.
PyObject* matmul(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  const auto flag = [&](Py_ssize_t i) { return args[i] == Py_True || args[i] == Py_False; };
  if (count != 5 || !flag(3) || !flag(4)) Py_RETURN_FALSE;
  try {
    const bool transpose_a = args[3] == Py_True, transpose_b = args[4] == Py_True;
    const Given a(args[0]), b(args[1]), out(args[2]);
    if (!a.data || !b.data || !out.data || !out.writable || a.type != b.type || a.type != out.type)
      Py_RETURN_FALSE;
    if (out.rows != (transpose_a ? a.columns : a.rows) || out.columns != (transpose_b ? b.rows : b.columns) ||
        (transpose_a ? a.rows : a.columns) != (transpose_b ? b.columns : b.rows))
      Py_RETURN_FALSE;
    const bool single = a.type == py::detail::npy_api::NPY_FLOAT_;
    if (!single && a.type != py::detail::npy_api::NPY_DOUBLE_) Py_RETURN_FALSE;
    const py::ssize_t size = single ? sizeof(float) : sizeof(double);
    for (const Given* in : {&a, &b})
      if (overlap(in->data, in->bytes(size), out.data, out.bytes(size))) Py_RETURN_FALSE;
    (single ? product_of<float> : product_of<double>)(a, b, out, transpose_a, transpose_b);
    Py_RETURN_TRUE;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
    return nullptr;
  }
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
                         .c = writable<T>(out, "out", InPlace::no, x, w),
                         .c_row = w.shape(1)};
    if (!bias.is_none()) {
      const auto b = py::cast<py::array>(bias);
      expect_shape(b, {w.shape(1)}, "b");
      p.start = engine::Start::bias;
      p.bias = numbers<T>(b, "b");
      expect_apart(out, "out", InPlace::no, b);
    }
    run(p);
  });
}

void dense_backward(const py::array& x, const py::array& w, const py::array& dy, const py::object& dx,
                    py::array dw, const py::object& db) {
  two_axes(x, "x");
  two_axes(w, "w");
  expect_shape(w, {x.shape(1), w.shape(1)}, "w");
  expect_shape(dy, {x.shape(0), w.shape(1)}, "dy");
  same_shape(w, dw, "w", "dw");
  by_type(x, "x", [&]<class T>(T) {
    const auto rows = x.shape(0), in = x.shape(1), outputs = w.shape(1);
    const T *px = numbers<T>(x, "x"), *pw = numbers<T>(w, "w"), *pg = numbers<T>(dy, "dy");
    T *to_dw = writable<T>(dw, "dw", InPlace::no, x, w, dy), *to_dx = nullptr, *to_db = nullptr;
    if (!dx.is_none()) {
      auto d = py::cast<py::array>(dx);
      same_shape(x, d, "x", "dx");
      to_dx = writable<T>(d, "dx", InPlace::no, x, w, dy, dw);
    }
    if (!db.is_none()) {
      auto d = py::cast<py::array>(db);
      expect_shape(d, {outputs}, "db");
      to_db = writable<T>(d, "db", InPlace::no, x, w, dy, dw);
      if (to_dx != nullptr) expect_apart(d, "db", InPlace::no, py::cast<py::array>(dx));
    }
    run<T>({.m = in,
            .n = outputs,
            .k = rows,
            .a = px,
            .a_row = 1,
            .a_step = in,
            .b = pg,
            .b_step = outputs,
            .c = to_dw,
            .c_row = outputs});
    if (to_dx != nullptr)
      run<T>({.m = rows,
              .n = in,
              .k = outputs,
              .a = pg,
              .a_row = outputs,
              .b = pw,
              .b_step = 1,
              .b_column = outputs,
              .c = to_dx,
              .c_row = in});
    if (to_db != nullptr)
      engine::column_sums<T>(rows, outputs, to_db,
                             [&](std::ptrdiff_t i, auto span) { return span.load(pg + i * outputs); });
  });
}

}  // namespace

void bind_products(py::module_& m) {
  static PyMethodDef method{"matmul", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&matmul)),
                            METH_FASTCALL, nullptr};
  m.attr("matmul") = py::reinterpret_steal<py::object>(PyCFunction_New(&method, nullptr));
  m.def("dense_forward", &dense_forward);
  m.def("dense_backward", &dense_backward);
}

}  // namespace deltarule::bindings
