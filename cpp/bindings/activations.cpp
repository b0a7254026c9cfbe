// Elementwise kernels on arrays.
#include <deltarule/elementwise.h>

#include <atomic>

#include "common.h"
#include "pieces.h"

namespace deltarule::bindings {
namespace {

// Of straight lines: as fast as memory.
bool straight(const Entry& entry) { return !entry.kinks.empty(); }

void activation_forward(int index, const py::dict& settings, const py::array& x, py::array out) {
  const Choice c = choice_at(Family::activation, index, settings);
  same_shape(x, out, "x", "out");
  by_type(x, "x", [&]<class T>(T) {
    const T* from = numbers<T>(x, "x");
    T* to = writable<T>(out, "out", InPlace::possible, x);
    const auto& kernel = activation_kernel<T>(c.index);
    make_elements(static_cast<std::size_t>(x.size()), to, to == from, straight(*c.entry),
                  [&](std::size_t b, std::size_t e, T* y) { kernel.forward(c.values, e - b, from + b, y); });
  });
}

void activation_backward(int index, const py::dict& settings, const py::array& x, const py::array& y,
                         const py::array& dy, py::array out) {
  const Choice c = choice_at(Family::activation, index, settings);
  same_shape(x, y, "x", "y");
  same_shape(x, dy, "x", "dy");
  same_shape(x, out, "x", "out");
  by_type(x, "x", [&]<class T>(T) {
    const T *px = numbers<T>(x, "x"), *py_ = numbers<T>(y, "y"), *pg = numbers<T>(dy, "dy");
    T* to = writable<T>(out, "out", InPlace::possible, x, y, dy);
    const auto& kernel = activation_kernel<T>(c.index);
    make_elements(static_cast<std::size_t>(x.size()), to, to == pg, straight(*c.entry),
                  [&](std::size_t b, std::size_t e, T* dx) {
                    kernel.backward(c.values, e - b, px + b, py_ + b, pg + b, dx);
                  });
  });
}

bool all_finite_in(const py::array& x) {
  return by_type(x, "x", [&]<class T>(T) {
    const T* from = numbers<T>(x, "x");
    std::atomic<bool> finite{true};
    const auto look = [&](std::size_t b, std::size_t e) {
      if (finite.load(std::memory_order_relaxed) && !all_finite(e - b, from + b))
        finite.store(false, std::memory_order_relaxed);
    };
    in_pieces(static_cast<std::size_t>(x.size()), piece, look, few_cheap);
    return finite.load();
  });
}

// A kernel can use it as it is: no subclass of ndarray, C-contiguous, float32 or float64.
bool ready(py::handle a) {
  if (Py_TYPE(a.ptr()) != py::detail::npy_api::get().PyArray_Type_) return false;
  const auto array = py::reinterpret_borrow<py::array>(a);
  return (array.flags() & py::array::c_style) && (holds<float>(array) || holds<double>(array));
}
bool alike(const py::array& a, const py::array& b) {
  return a.dtype().num() == b.dtype().num() && std::ranges::equal(shape_of(a), shape_of(b));
}
// `out`, or a new array, if it can take results of the type and shape of `like`; None otherwise.
py::object result_like(const py::array& like, const py::object& out) {
  if (out.is_none()) return py::array(like.dtype(), std::vector(like.shape(), like.shape() + like.ndim()));
  if (!ready(out)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(out);
  return array.writeable() && alike(like, array) ? out : py::none();
}

// The usual case without a detour through Python's checks. None, and nothing done, where an array is not
// ready.
py::object ready_forward(int index, const py::dict& settings, const py::object& x, const py::object& out) {
  if (!ready(x)) return py::none();
  const auto from = py::reinterpret_borrow<py::array>(x);
  py::object to = result_like(from, out);
  if (!to.is_none()) activation_forward(index, settings, from, py::reinterpret_borrow<py::array>(to));
  return to;
}

py::object ready_backward(int index, const py::dict& settings, const py::object& x, const py::object& y,
                          const py::object& dy, const py::object& out) {
  if (!ready(dy)) return py::none();
  const auto g = py::reinterpret_borrow<py::array>(dy);
  const Reads reads = catalog::entry(Family::activation, index).reads;
  const auto input = [&](const py::object& given, Reads own) -> py::object {
    if (reads != own && reads != Reads::both) return g;
    return ready(given) && alike(g, py::reinterpret_borrow<py::array>(given)) ? given : py::none();
  };
  const py::object from = input(x, Reads::input), made = input(y, Reads::output);
  if (from.is_none() || made.is_none()) return py::none();
  py::object to = result_like(g, out);
  if (!to.is_none())
    activation_backward(index, settings, py::reinterpret_borrow<py::array>(from),
                        py::reinterpret_borrow<py::array>(made), g, py::reinterpret_borrow<py::array>(to));
  return to;
}

py::array_t<double> activation_second(int index, const py::dict& settings, const py::array& x) {
  const Choice c = choice_at(Family::activation, index, settings);
  const double* from = numbers<double>(x, "x");
  py::array_t<double> out(x.size());
  std::transform(from, from + x.size(), out.mutable_data(),
                 [&](double v) { return activation_kernel<double>(c.index).second(c.values, v); });
  return out;
}

}  // namespace

void bind_activations(py::module_& m) {
  m.def("activation_forward", &activation_forward);
  m.def("activation_backward", &activation_backward);
  m.def("ready_forward", &ready_forward);
  m.def("ready_backward", &ready_backward);
  m.def("activation_second", &activation_second);
  m.def("all_finite", &all_finite_in);
}

}  // namespace deltarule::bindings
