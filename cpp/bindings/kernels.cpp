// Row operations, losses, update rules and metrics on arrays.
#include <deltarule/engine/arena.h>
#include <deltarule/loss_kernel.h>
#include <deltarule/metrics.h>
#include <deltarule/row_op_kernel.h>
#include <deltarule/update_kernel.h>

#include "common.h"
#include "pieces.h"

namespace deltarule::bindings {
namespace {

struct Rows {
  std::size_t rows, columns, piece;
};
Rows rows_of(const py::array& a, const char* name) {
  if (a.ndim() != 2)
    throw py::value_error(std::string(name) + ": shape " + shape_text(a) + ", expected 2 axes");
  const auto columns = static_cast<std::size_t>(a.shape(1));
  return {static_cast<std::size_t>(a.shape(0)), columns,
          std::max<std::size_t>(1, piece / std::max<std::size_t>(1, columns))};
}

void row_op_forward(int index, const py::dict& settings, const py::array& x, py::array out) {
  const Choice c = choice_at(Family::row_op, index, settings);
  const Rows r = rows_of(x, "x");
  const std::size_t narrow = row_op_width(index, r.columns, std::string(c.entry->name));
  expect_shape(out, {x.shape(0), static_cast<py::ssize_t>(narrow)}, "out");
  by_type(x, "x", [&]<class T>(T) {
    const T* from = numbers<T>(x, "x");
    T* to = writable<T>(out, "out", InPlace::possible, x);
    const auto& kernel = row_op_kernel<T>(c.index);
    make_rows(r.rows, narrow, r.piece, to, to == from, [&](std::size_t b, std::size_t e, T* y) {
      kernel.forward_rows(c.values, e - b, r.columns, from + b * r.columns,
                          static_cast<std::ptrdiff_t>(r.columns), y, static_cast<std::ptrdiff_t>(narrow));
    });
  });
}

void row_op_backward(int index, const py::dict& settings, const py::array& x, const py::array& y,
                     const py::array& dy, py::array out) {
  const Choice c = choice_at(Family::row_op, index, settings);
  same_shape(x, out, "x", "out");
  same_shape(y, dy, "y", "dy");
  const Rows r = rows_of(x, "x");
  const std::size_t narrow = row_op_width(index, r.columns, std::string(c.entry->name));
  expect_shape(dy, {x.shape(0), static_cast<py::ssize_t>(narrow)}, "dy");
  by_type(x, "x", [&]<class T>(T) {
    const T *px = numbers<T>(x, "x"), *py_ = numbers<T>(y, "y"), *pg = numbers<T>(dy, "dy");
    T* to = writable<T>(out, "out", InPlace::possible, x, y, dy);
    const auto& kernel = row_op_kernel<T>(c.index);
    make_rows(r.rows, r.columns, r.piece, to, to == pg, [&](std::size_t b, std::size_t e, T* dx) {
      for (std::size_t i = b; i < e; ++i)
        kernel.backward(c.values, r.columns, px + i * r.columns, py_ + i * narrow, pg + i * narrow,
                        dx + (i - b) * r.columns);
    });
  });
}

// Prediction, target and weight as the loss kernels take them; checked.
template <class T>
LossRows<T> loss_rows(Target wants, const py::array& prediction, const py::array& target,
                      const py::object& weight, int outputs_per_target = 1, std::int32_t ignored = no_label) {
  const Rows r = rows_of(prediction, "prediction");
  LossRows<T> rows{r.rows,
                   r.columns,
                   numbers<T>(prediction, "prediction"),
                   prediction.shape(1),
                   nullptr,
                   prediction.shape(1) / outputs_per_target,
                   nullptr,
                   nullptr,
                   ignored};
  const bool labels = holds<std::int32_t>(target);
  if (wants == Target::label && !labels) throw py::type_error("target: class labels must be an int32 array");
  if (wants == Target::values && labels)
    throw py::type_error("target: values of the prediction's dtype expected, not int32 labels");
  if (labels) {
    expect_shape(target, {prediction.shape(0)}, "target");
    rows.label = numbers<std::int32_t>(target, "target");
    for (std::size_t i = 0; i < r.rows; ++i)
      if (rows.label[i] != ignored && (rows.label[i] < 0 || rows.label[i] >= prediction.shape(1)))
        throw py::value_error("target: label " + std::to_string(rows.label[i]) + " in row " +
                              std::to_string(i) + " is not allowed; allowed: 0 to " +
                              std::to_string(prediction.shape(1) - 1));
  } else {
    expect_shape(target, {prediction.shape(0), rows.target_row}, "target");
    rows.target = numbers<T>(target, "target");
  }
  if (!weight.is_none()) {
    const auto w = py::cast<py::array>(weight);
    expect_shape(w, {prediction.shape(0)}, "sample_weight");
    rows.weight = numbers<T>(w, "sample_weight");
  }
  return rows;
}

py::object loss(int index, const py::dict& settings, const py::array& prediction, const py::array& target,
                const py::object& weight, const std::string& reduction, py::array gradient) {
  const Choice c = choice_at(Family::loss, index, settings);
  same_shape(prediction, gradient, "prediction", "out");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    throw py::value_error("reduction = '" + reduction + "' is not allowed; allowed: 'mean', 'sum', 'none'");
  return by_type(prediction, "prediction", [&]<class T>(T) -> py::object {
    // A loss may also take labels where it takes a distribution: those become one-hot rows in Python.
    const Target wants = c.entry->target == Target::label_or_distribution ? Target::values : c.entry->target;
    const auto& kernel = loss_kernel<T>(c.index);
    const LossRows<T> all =
        loss_rows<T>(wants, prediction, target, weight, kernel.outputs_per_target, kernel.ignored(c.values));
    T* to = writable<T>(gradient, "out", InPlace::possible, prediction, target);
    if (!weight.is_none()) expect_apart(gradient, "out", InPlace::no, py::cast<py::array>(weight));
    double total = 0;
    for (std::size_t i = 0; i < all.rows; ++i) total += row_weight(all, i);
    const double scale = reduction == "mean" ? (total > 0 ? 1 / total : 0) : 1;
    py::array_t<double> values(prediction.shape(0));
    double* v = values.mutable_data();
    const std::size_t rows_of_piece = std::max<std::size_t>(1, piece / std::max<std::size_t>(1, all.outputs));
    const bool in_place = to == all.prediction || to == all.target || kernel.custom;
    make_rows(all.rows, all.outputs, kernel.custom ? std::max<std::size_t>(1, all.rows) : rows_of_piece, to,
              in_place, [&](std::size_t b, std::size_t e, T* into) {
                LossRows<T> part = all;
                const auto first = static_cast<std::ptrdiff_t>(b);
                part.rows = e - b;
                part.prediction += first * part.prediction_row;
                if (part.target) part.target += first * part.target_row;
                if (part.label) part.label += first;
                if (part.weight) part.weight += first;
                kernel.run(c.values, part, scale, v + b, into, part.prediction_row);
              });
    if (reduction == "none") return values;
    double sum = 0;
    for (std::size_t i = 0; i < all.rows; ++i) sum += v[i];
    return py::float_(reduction == "mean" ? (total > 0 ? sum / total : 0) : sum);
  });
}

// scale * weight * H v per row, in float64.
void loss_hessian(int index, const py::dict& settings, const py::array& prediction, const py::array& target,
                  const py::object& weight, const py::array& v, py::array out) {
  const Choice c = choice_at(Family::loss, index, settings);
  const auto& kernel = loss_kernel<double>(c.index);
  const Target wants = c.entry->target == Target::label ? Target::label : Target::values;
  same_shape(prediction, v, "prediction", "v");
  same_shape(prediction, out, "prediction", "out");
  const auto rows = loss_rows<double>(wants, prediction, target, weight, kernel.outputs_per_target,
                                      kernel.ignored(c.values));
  loss_hessian_times(c.index, c.values, rows, 1, numbers<double>(v, "v"), writable<double>(out, "out"));
}

int states_used(int index, const py::dict& settings) {
  const Choice c = choice_at(Family::optimizer, index, settings);
  return update_kernel<float>(index).states_used(c.values);
}

void update(int index, const py::dict& settings, py::array w, const py::array& g, py::list states,
            std::int64_t step, double learning_rate) {
  const Choice c = choice_at(Family::optimizer, index, settings);
  same_shape(w, g, "w", "g");
  if (step < 1)
    throw py::value_error("step = " + std::to_string(step) + " is not allowed; allowed: 1 or more");
  by_type(w, "w", [&]<class T>(T) {
    const auto& kernel = update_kernel<T>(index);
    const int used = kernel.states_used(c.values);
    if (static_cast<int>(states.size()) != used)
      throw py::value_error(std::string(c.entry->name) + ": " + std::to_string(states.size()) +
                            " state arrays given, " + std::to_string(used) + " are used");
    UpdateBlock<T> all{1, w.size(), numbers<T>(g, "g"), w.size(), writable<T>(w, "w"), w.size(), {}};
    for (int i = 0; i < used; ++i) {
      auto s = py::cast<py::array>(states[static_cast<std::size_t>(i)]);
      const std::string name(c.entry->states[static_cast<std::size_t>(i)]);
      same_shape(w, s, "w", name.c_str());
      all.state[static_cast<std::size_t>(i)] = writable<T>(s, name.c_str());
    }
    const Values constants = kernel.prepare(c.values, learning_rate, static_cast<double>(step));
    if (kernel.whole) {
      const bool matrix = w.ndim() == 2;
      const TensorShape shape{matrix ? w.shape(0) : 1, matrix ? w.shape(1) : w.size(), matrix};
      engine::Buffer<T> gradient(static_cast<std::size_t>(w.size()));
      std::copy_n(all.gradient, w.size(), gradient.data());
      update_whole<T>(*kernel.whole, c.values, constants,
                      {shape, gradient.data(), all.weight, all.state, nullptr, nullptr});
      return;
    }
    in_pieces(static_cast<std::size_t>(w.size()), piece, [&](std::size_t b, std::size_t e) {
      UpdateBlock<T> part = all;
      part.columns = part.weight_row = part.gradient_row = static_cast<std::ptrdiff_t>(e - b);
      part.gradient += b;
      part.weight += b;
      for (int i = 0; i < used; ++i) part.state[static_cast<std::size_t>(i)] += b;
      kernel.update(constants, used, part);
    });
  });
}

double metric(int index, const py::dict& settings, const py::array& prediction, const py::array& target,
              const py::object& weight) {
  const Choice c = choice_at(Family::metric, index, settings);
  return by_type(prediction, "prediction", [&]<class T>(T) {
    const LossRows<T> rows = loss_rows<T>(
        holds<std::int32_t>(target) && c.entry->target != Target::values ? Target::label : Target::values,
        prediction, target, weight);
    const auto& kernel = metric_kernel<T>(index);
    std::vector<double> sums(kernel.sums(rows.outputs), 0.0);
    for (std::size_t i = 0; i < rows.rows; ++i) kernel.add(c.values, rows, i, sums.data());
    return kernel.finish(sums.data(), rows.outputs);
  });
}

}  // namespace

void bind_kernels(py::module_& m) {
  m.def("row_op_inputs_per_output", [](int index) { return row_op_kernel<double>(index).inputs_per_output; });
  m.def("row_op_forward", &row_op_forward);
  m.def("row_op_backward", &row_op_backward);
  m.def("loss", &loss);
  m.def("loss_hessian", &loss_hessian);
  m.def("states_used", &states_used);
  m.def("update", &update);
  m.def("metric", &metric);
}

}  // namespace deltarule::bindings
