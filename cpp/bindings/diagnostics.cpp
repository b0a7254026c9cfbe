// What diagnostics see of a network.
#include <deltarule/trace.h>

#include "models.h"

namespace deltarule::bindings {
namespace {

py::list layer_outputs(const PyNetwork& n, const py::array& x) {
  py::list out;
  std::visit(
      [&](const auto& box) {
        using T = typename std::decay_t<decltype(*box)>::Scalar;
        if (!box->network.built()) throw std::runtime_error("layer_outputs: the network is not built");
        expect_shape(x, {x.ndim() == 2 ? x.shape(0) : 0, box->network.input_width()}, "X");
        const T* from = numbers<T>(x, "X");
        std::vector<LayerOutput<T>> outputs;
        {
          const py::gil_scoped_release release;
          outputs = trace(box->network, x.shape(0), from);
        }
        for (const LayerOutput<T>& o : outputs)
          out.append(py::array_t<T>({x.shape(0), static_cast<py::ssize_t>(o.columns)}, o.values.data()));
      },
      n.box);
  return out;
}

}  // namespace

void bind_diagnostics(py::module_& m) { m.def("layer_outputs", &layer_outputs); }

}  // namespace deltarule::bindings
