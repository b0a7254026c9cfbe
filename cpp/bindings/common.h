// Shared by the binding files: arrays in, settings in, errors out. No kernel headers here.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/custom.h>
#include <deltarule/subnormals.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

namespace deltarule::bindings {

namespace py = pybind11;

void bind_catalog(py::module_& m);
void bind_activations(py::module_& m);
void bind_kernels(py::module_& m);
void bind_norms(py::module_& m);
void bind_products(py::module_& m);
void bind_models(py::module_& m);
void bind_historical(py::module_& m);
void bind_diagnostics(py::module_& m);
void bind_custom(py::module_& m);

// While C++ trains, Python runs in here.
struct CallPython {
  KeepSubnormals usual;
  py::gil_scoped_acquire acquire;
};

// The entry as a dict; `index` is its number in the family.
py::dict describe(Family family, int index, const Entry& entry);
// A hyper-parameter as Python sees it; `list` where it is one.
py::object value_of(const Param& parameter, double value, std::span<const double> list);
Family family_of(const std::string& name);

template <class T>
bool holds(const py::array& a) {
  return py::isinstance<py::array_t<T>>(a);
}

inline std::string shape_text(std::span<const py::ssize_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}
inline std::span<const py::ssize_t> shape_of(const py::array& a) {
  return {a.shape(), static_cast<std::size_t>(a.ndim())};
}
inline std::string shape_text(const py::array& a) { return shape_text(shape_of(a)); }

// The array's numbers, if it is a C-contiguous array of T; an error that names it otherwise.
template <class T>
const T* numbers(const py::array& a, const char* name) {
  if (!holds<T>(a))
    throw py::type_error(std::string(name) + ": dtype " + std::string(py::str(a.dtype())) + ", expected " +
                         std::string(py::str(py::dtype::of<T>())));
  if (!(a.flags() & py::array::c_style)) throw py::value_error(std::string(name) + ": not C-contiguous");
  return static_cast<const T*>(a.data());
}
template <class T>
T* writable(py::array& a, const char* name) {
  numbers<T>(a, name);
  if (!a.writeable()) throw py::value_error(std::string(name) + ": read-only");
  return static_cast<T*>(a.mutable_data());
}

// Whether an array of so many bytes has some in common with another.
inline bool overlap(const void* a, py::ssize_t bytes_a, const void* b, py::ssize_t bytes_b) {
  const auto begin_a = reinterpret_cast<std::uintptr_t>(a), begin_b = reinterpret_cast<std::uintptr_t>(b);
  return begin_a < begin_b + static_cast<std::uintptr_t>(bytes_b) &&
         begin_b < begin_a + static_cast<std::uintptr_t>(bytes_a);
}

// A result that is written while inputs are still read shares no memory with them. One that is made element
// by element, or row by row, may be an input itself.
enum class InPlace { no, possible };
template <class... Inputs>
void expect_apart(const py::array& a, const char* name, InPlace in_place, const Inputs&... inputs) {
  const auto shared = [&](const py::array& input) {
    return overlap(a.data(), a.nbytes(), input.data(), input.nbytes()) &&
           !(in_place == InPlace::possible && a.data() == input.data() && a.nbytes() == input.nbytes());
  };
  if ((shared(inputs) || ...))
    throw py::value_error(std::string(name) + " shares memory with an input; allowed: an array of its own" +
                          (in_place == InPlace::possible ? ", or a whole input" : ""));
}
template <class T, class... Inputs>
T* writable(py::array& a, const char* name, InPlace in_place, const Inputs&... inputs) {
  T* const to = writable<T>(a, name);
  expect_apart(a, name, in_place, inputs...);
  return to;
}

inline void same_shape(const py::array& a, const py::array& b, const char* name_a, const char* name_b) {
  if (!std::ranges::equal(shape_of(a), shape_of(b)))
    throw py::value_error(std::string(name_b) + ": shape " + shape_text(b) + ", expected that of " + name_a +
                          ", " + shape_text(a));
}

inline void expect_shape(const py::array& a, std::span<const py::ssize_t> shape, const char* name) {
  if (!std::ranges::equal(shape_of(a), shape))
    throw py::value_error(std::string(name) + ": shape " + shape_text(a) + ", expected " + shape_text(shape));
}
inline void expect_shape(const py::array& a, std::initializer_list<py::ssize_t> shape, const char* name) {
  expect_shape(a, std::span(shape.begin(), shape.size()), name);
}

inline void two_axes(const py::array& a, const char* name) {
  if (a.ndim() != 2)
    throw py::value_error(std::string(name) + ": shape " + shape_text(a) + ", expected 2 axes");
}

// Calls f(float{}) or f(double{}) by the array's dtype.
template <class F>
decltype(auto) by_type(const py::array& a, const char* name, F&& f) {
  if (holds<float>(a)) return f(float{});
  if (holds<double>(a)) return f(double{});
  throw py::type_error(std::string(name) + ": dtype " + std::string(py::str(a.dtype())) +
                       ", expected float32 or float64");
}

inline std::vector<Setting> settings_from(const py::dict& given) {
  std::vector<Setting> settings;
  for (const auto& item : given) {  // no structured binding: clang 14 cannot capture it
    const py::handle value = item.second;
    const auto name = py::cast<std::string>(item.first);
    if (py::isinstance<py::str>(value))
      settings.emplace_back(name, py::cast<std::string>(value));
    else if (py::isinstance<py::bool_>(value))
      settings.emplace_back(name, py::cast<bool>(value));
    else {
      const auto number = [&](py::handle part) {
        const double result = PyFloat_AsDouble(part.ptr());
        if (result == -1 && PyErr_Occurred()) {
          PyErr_Clear();
          throw py::type_error(name + " = " + std::string(py::repr(value)) +
                               ": expected a number, a boolean, a string or a list of numbers");
        }
        return result;
      };
      if (!py::isinstance<py::sequence>(value)) {
        settings.emplace_back(name, number(value));
        continue;
      }
      std::vector<double> list;
      for (const auto part : py::reinterpret_borrow<py::sequence>(value)) list.push_back(number(part));
      settings.emplace_back(name, std::move(list));
    }
  }
  return settings;
}

inline Choice choice_at(Family family, int index, const py::dict& settings) {
  if (index < 0 || (!custom::is_custom(index) && index >= static_cast<int>(catalog::entries(family).size())))
    throw py::index_error("no such entry");
  const Entry& entry = catalog::entry(family, index);
  const auto given = settings_from(settings);
  return {family, index, &entry, catalog::resolve(entry, given), catalog::resolve_lists(entry, given)};
}

}  // namespace deltarule::bindings
