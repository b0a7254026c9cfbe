// The compiled module: one register function per concept.
#include <deltarule/engine/team.h>
#include <deltarule/serialize.h>

#include "common.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  m.doc() = "deltarule's compiled core";
  py::register_exception<deltarule::FormatError>(m, "FormatError", PyExc_ValueError);
  py::register_exception<deltarule::NonFiniteError>(m, "NonFiniteError", PyExc_ArithmeticError);
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const std::system_error& e) {  // errno makes Python pick FileNotFoundError, PermissionError, ...
      PyErr_SetObject(PyExc_OSError, py::make_tuple(e.code().value(), e.what()).ptr());
    }
  });
  m.def(
      "phase_seconds",
      [](int threads, int count) {
        const py::gil_scoped_release release;
        return deltarule::engine::phase_seconds(threads, count);
      },
      py::arg("threads"), py::arg("count"));
  m.def(
      "rewrite_seconds",
      [](std::size_t size, int count) {
        const py::gil_scoped_release release;
        return deltarule::engine::rewrite_seconds(size, count);
      },
      py::arg("size"), py::arg("count"));
  m.def("set_num_threads", [](int count) {
    if (count < 0)
      throw py::value_error("set_num_threads: count = " + std::to_string(count) +
                            " is not allowed; allowed: 0 (the default) or more");
    deltarule::engine::set_threads(count);
  });
  m.def("get_num_threads", &deltarule::engine::threads);
  deltarule::bindings::bind_catalog(m);
  deltarule::bindings::bind_activations(m);
  deltarule::bindings::bind_kernels(m);
  deltarule::bindings::bind_norms(m);
  deltarule::bindings::bind_products(m);
  deltarule::bindings::bind_models(m);
  deltarule::bindings::bind_historical(m);
  deltarule::bindings::bind_diagnostics(m);
  deltarule::bindings::bind_custom(m);
}
