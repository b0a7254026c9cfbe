#include <deltarule/curvature.h>
#include <deltarule/engine/machine.h>
#include <deltarule/engine/tangent.h>
#include <algorithm>

namespace deltarule {

using engine::Buffer;
using engine::padded;
using engine::View;

namespace {

// Buffers like the machine's, for the tangents.
template <class T>
struct Twins {
  std::vector<Buffer<T>> memory = {};
  std::vector<View<T>> views = {};
  Twins(std::span<const std::ptrdiff_t> columns, std::ptrdiff_t rows) {
    for (const auto n : columns) {
      memory.emplace_back(static_cast<std::size_t>(padded<T>(n) * rows));
      views.push_back({memory.back().data(), padded<T>(n)});
    }
  }
  void clear() {
    for (Buffer<T>& b : memory) std::fill(b.span().begin(), b.span().end(), T(0));
  }
};

template <class T>
void check_rows(const Network<T>& network, const Choice& loss, const Data<T>& data) {
  if (!network.built())
    throw std::invalid_argument("Curvature: the network is not built yet; call build(input_width) first");
  if (data.index)
    throw std::invalid_argument("Curvature: data.index is given; allowed: none, rows as they lie");
  check_data(network, loss, data);
}

}  // namespace

template <class T>
struct Curvature<T>::State {
  State(const Network<T>& n, const Choice& l, const Data<T>& d)
      : network(n),
        loss(l),
        data(d),
        machine(n, {.max_rows = d.rows, .training = true}, 1),
        values(machine.plan().value_columns(), d.rows),
        gradients(machine.plan().gradient_columns(), d.rows),
        direction(n.parameters().size()),
        loss_gradient(static_cast<std::size_t>(d.rows * n.output_width())),
        hooks(d.x, n.input_width()) {
    for (const auto& op : machine.plan().ops()) {
      auto* tangent = dynamic_cast<engine::Tangent<T>*>(op.get());
      if (!tangent)
        throw std::invalid_argument("layer '" + op->layer + "' (" + op->describe() +
                                    ") has no R-operator yet: no exact Hessian-vector products");
      tangents.push_back(tangent);
    }
    for (int task = 0; task < machine.refresh_tasks(); ++task) machine.run_refresh_task(task);
    machine.run(machine.plan().forward_phases(), context(), hooks);
    const auto& kernel = loss_kernel<T>(loss.index);
    const View<T> y = machine.value(machine.plan().output_slot().value);
    const std::ptrdiff_t outputs = network.output_width(), targets = outputs / kernel.outputs_per_target;
    const LossRows<T> rows{.rows = static_cast<std::size_t>(data.rows),
                           .outputs = static_cast<std::size_t>(outputs),
                           .prediction = y.data,
                           .prediction_row = y.row,
                           .target = data.target,
                           .target_row = targets,
                           .label = data.label,
                           .weight = data.weight,
                           .ignored = kernel.ignored(loss.values)};
    double total = 0;
    for (std::size_t i = 0; i < rows.rows; ++i) total += row_weight(rows, i);
    scale = total > 0 ? 1 / total : 0;
    std::vector<double> losses(rows.rows);
    kernel.run(loss.values, rows, scale, losses.data(), loss_gradient.data(), outputs);

    const auto wide = [](const T* from, std::ptrdiff_t count) {
      return from ? std::vector<double>(from, from + count) : std::vector<double>{};
    };
    for (std::ptrdiff_t i = 0; i < data.rows; ++i)
      prediction.insert(prediction.end(), y.at(i), y.at(i) + outputs);
    target = wide(data.target, data.rows * targets);
    weight = wide(data.weight, data.rows);
    rows_in_double = {.rows = rows.rows,
                      .outputs = rows.outputs,
                      .prediction = prediction.data(),
                      .prediction_row = outputs,
                      .target = data.target ? target.data() : nullptr,
                      .target_row = targets,
                      .label = data.label,
                      .weight = data.weight ? weight.data() : nullptr,
                      .ignored = rows.ignored};
  }

  engine::Context<T> context() { return machine.context(0, true, data.rows, network.seed(), 0, nullptr); }

  // Derivative of the loss's gradient, from the tangent of the outputs.
  void differentiate_loss(View<T> dy) {
    const View<T> ry = values.views[static_cast<std::size_t>(machine.plan().output_slot().value)];
    const std::ptrdiff_t outputs = network.output_width();
    std::vector<double> v;
    for (std::ptrdiff_t i = 0; i < data.rows; ++i) v.insert(v.end(), ry.at(i), ry.at(i) + outputs);
    std::vector<double> product(v.size());
    loss_hessian_times(loss.index, loss.values, rows_in_double, scale, v.data(), product.data());
    for (std::ptrdiff_t i = 0; i < data.rows; ++i)
      for (std::ptrdiff_t j = 0; j < outputs; ++j)
        dy.at(i)[j] = static_cast<T>(product[static_cast<std::size_t>(i * outputs + j)]);
  }

  // One operation's backward over the whole batch.
  void backward(engine::Op<T>& op, const engine::Context<T>& c) {
    const std::ptrdiff_t step = machine.plan().tile_rows();
    const auto tiles = [&](auto&& run) {
      for (std::ptrdiff_t begin = 0; begin < c.rows; begin += step)
        run(engine::Tile{begin, std::min(c.rows, begin + step), static_cast<int>(begin / step)});
    };
    if (op.needs_batch()) {
      tiles([&](const engine::Tile& t) { op.collect_backward(c, t); });
      op.combine_backward(c);
    }
    if (!op.by_tasks()) return tiles([&](const engine::Tile& t) { op.backward(c, t); });
    tiles([&](const engine::Tile& t) { op.start_backward(c, t); });
    for (int task = 0; task < op.backward_tasks(c.rows); ++task) op.backward_task(c, task);
  }

  const Network<T>& network;
  const Choice loss;
  const Data<T> data;
  engine::Machine<T> machine;
  std::vector<engine::Tangent<T>*> tangents = {};
  Twins<T> values, gradients;
  Buffer<T> direction;
  std::vector<T> loss_gradient;
  std::vector<double> prediction = {}, target = {}, weight = {};
  LossRows<double> rows_in_double{};
  engine::CopiedRows<T> hooks;
  double scale = 1;
};

template <class T>
Curvature<T>::Curvature(const Network<T>& network, const Choice& loss, const Data<T>& data)
    : state_((check_rows(network, loss, data), std::make_unique<State>(network, loss, data))) {}

template <class T>
Curvature<T>::~Curvature() = default;

template <class T>
void Curvature<T>::times(const T* v, T* out) {
  State& s = *state_;
  std::copy_n(v, s.direction.size(), s.direction.data());  // with slack past its end, for the matrix product
  std::fill_n(out, s.direction.size(), T(0));
  s.values.clear();
  s.gradients.clear();
  const auto c = s.context();
  const engine::Tangents<T> t{s.values.views, s.gradients.views, s.direction.data(), out};
  for (auto* op : s.tangents) op->tangent_forward(c, t);
  const engine::Slot last = s.machine.plan().output_slot();
  if (!last.has_gradient()) return;  // nothing is trained
  s.differentiate_loss(t.gradient(last));
  const std::ptrdiff_t outputs = s.network.output_width();
  for (std::ptrdiff_t i = 0; i < c.rows; ++i)
    std::copy_n(s.loss_gradient.data() + i * outputs, outputs, s.machine.gradient(last.gradient).at(i));
  for (std::size_t i = s.tangents.size(); i-- > 0;) {
    s.tangents[i]->tangent_backward(c, t);
    s.backward(*s.machine.plan().ops()[i], c);
  }
}

template class Curvature<float>;
template class Curvature<double>;

}  // namespace deltarule
