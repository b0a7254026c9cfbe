// The historical learners on arrays of float64.
#include <deltarule/historical/delta_rule.h>
#include <deltarule/historical/perceptron.h>
#include <deltarule/historical/threshold_unit.h>

#include "common.h"

namespace deltarule::bindings {
namespace {

using namespace py::literals;
using namespace deltarule::historical;

Patterns patterns_of(const py::array& x, const py::array& target) {
  if (x.ndim() != 2) throw py::value_error("X: shape " + shape_text(x) + ", expected two axes");
  expect_shape(target, {x.shape(0)}, "target");
  return {x.shape(0), x.shape(1), numbers<double>(x, "X"), numbers<double>(target, "target")};
}

Unit unit_of(py::array& weight, py::object& bias, std::ptrdiff_t columns) {
  expect_shape(weight, {columns}, "weight");
  Unit unit{writable<double>(weight, "weight"), nullptr};
  if (bias.is_none()) return unit;
  auto b = py::cast<py::array>(bias);
  expect_shape(b, {1}, "bias");
  unit.bias = writable<double>(b, "bias");
  return unit;
}

py::dict learn(const std::string& rule, const py::array& x, const py::array& target, py::array weight,
               py::object bias, double learning_rate, std::int64_t max_epochs, double tolerance, bool batch,
               bool shuffle, std::uint64_t seed) {
  const Patterns patterns = patterns_of(x, target);
  const Unit unit = unit_of(weight, bias, patterns.columns);
  const Training training{learning_rate, max_epochs, tolerance, batch, shuffle, seed, [] {
                            const py::gil_scoped_acquire acquire;
                            return PyErr_CheckSignals() != 0;
                          }};
  Learned learned;
  {
    const py::gil_scoped_release release;
    learned = rule == "perceptron" ? learn_perceptron(patterns, training, unit)
                                   : learn_delta_rule(patterns, training,
                                                      rule == "linear"    ? Output::linear
                                                      : rule == "sigmoid" ? Output::sigmoid
                                                                          : Output::sigmoid_quadratic,
                                                      unit);
  }
  if (PyErr_Occurred()) throw py::error_already_set();
  return py::dict("loss"_a = learned.loss, "updates"_a = learned.updates, "converged"_a = learned.converged,
                  "finite"_a = learned.finite);
}

py::tuple mistake_bound(const py::array& x, const py::array& target, const py::array& weight,
                        std::optional<double> bias) {
  const Patterns patterns = patterns_of(x, target);
  expect_shape(weight, {patterns.columns}, "weight");
  const MistakeBound b = mistake_bound(patterns, numbers<double>(weight, "weight"), bias ? &*bias : nullptr);
  return py::make_tuple(b.alpha, b.beta, b.squared_norm);
}

void fire(const py::array& x, const py::array& weight, double threshold, bool absolute_inhibition,
          py::array out) {
  if (x.ndim() != 2) throw py::value_error("X: shape " + shape_text(x) + ", expected two axes");
  expect_shape(weight, {x.shape(1)}, "weight");
  expect_shape(out, {x.shape(0)}, "out");
  const ThresholdUnit unit{x.shape(1), numbers<double>(weight, "weight"), threshold, absolute_inhibition};
  unit.fire(x.shape(0), numbers<double>(x, "X"), writable<double>(out, "out"));
}

}  // namespace

void bind_historical(py::module_& m) {
  m.def("learn_unit", &learn, "rule"_a, "X"_a, "target"_a, "weight"_a, "bias"_a, "learning_rate"_a,
        "max_epochs"_a, "tolerance"_a, "batch"_a, "shuffle"_a, "seed"_a);
  m.def("mistake_bound", &mistake_bound);
  m.def("fire_threshold_unit", &fire);
}

}  // namespace deltarule::bindings
