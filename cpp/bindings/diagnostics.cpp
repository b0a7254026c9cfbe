// What diagnostics see of a network.
#include <deltarule/curvature.h>
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

// Hessian-vector products of a float64 network; keeps the network and the arrays alive.
struct PyCurvature {
  SharedBox<double> owner;
  py::array x, y;
  py::object weight;
  std::unique_ptr<Curvature<double>> curvature;

  py::array times(const py::array& v) {
    const auto count = static_cast<py::ssize_t>(owner->network.parameters().size());
    expect_shape(v, {count}, "v");
    py::array_t<double> out(count);
    const double* from = numbers<double>(v, "v");
    double* to = out.mutable_data();
    const py::gil_scoped_release release;
    curvature->times(from, to);
    return out;
  }
};

std::unique_ptr<PyCurvature> curvature(const PyNetwork& n, const std::string& loss, const py::dict& settings,
                                       py::array x, py::array y, py::object weight) {
  const auto* box = std::get_if<SharedBox<double>>(&n.box);
  if (!box || !(*box)->network.built()) throw py::value_error("Curvature: a built float64 network is needed");
  const Network<double>& network = (*box)->network;
  const Choice choice = choice_at(Family::loss, catalog::find(Family::loss, loss), settings);
  const Data<double> data = data_of(network, choice, x, y, weight);
  if (data.rows == 0) throw py::value_error("X: shape " + shape_text(x) + ", expected rows");
  auto made = std::make_unique<Curvature<double>>(network, choice, data);
  return std::unique_ptr<PyCurvature>(
      new PyCurvature{*box, std::move(x), std::move(y), std::move(weight), std::move(made)});
}

}  // namespace

void bind_diagnostics(py::module_& m) {
  m.def("layer_outputs", &layer_outputs);
  py::class_<PyCurvature>(m, "Curvature")
      .def(py::init(&curvature), py::arg("network"), py::arg("loss"), py::arg("settings"), py::arg("X"),
           py::arg("y"), py::arg("weight"))
      .def("times", &PyCurvature::times);
}

}  // namespace deltarule::bindings
