#include <deltarule/engine/plan.h>
#include <deltarule/trace.h>
#include <algorithm>

namespace deltarule {
namespace {

constexpr std::ptrdiff_t most_rows = 128;

// Whether an operation came from this layer or from one inside it.
bool belongs(std::string_view op_layer, std::string_view layer) {
  return op_layer.starts_with(layer) && (op_layer.size() == layer.size() || op_layer[layer.size()] == '.');
}

}  // namespace

template <class T>
std::vector<LayerOutput<T>> trace(const Network<T>& network, std::ptrdiff_t rows, const T* x) {
  const std::ptrdiff_t batch = std::clamp<std::ptrdiff_t>(rows, 1, most_rows), width = network.input_width();
  engine::Plan<T> plan(network, {.max_rows = batch});
  plan.reserve();
  std::vector<engine::Buffer<T>> buffers;
  std::vector<engine::View<T>> values;
  for (const auto columns : plan.value_columns()) {
    buffers.emplace_back(static_cast<std::size_t>(engine::padded<T>(columns) * batch) + 32);
    values.push_back({buffers.back().data(), engine::padded<T>(columns)});
  }
  engine::Buffer<T> scratch(plan.scratch_size());
  std::vector<LayerOutput<T>> outputs;
  for (const auto& layer : network.layers())
    outputs.push_back({layer->name(), layer->output_width(),
                       std::vector<T>(static_cast<std::size_t>(rows * layer->output_width()))});
  engine::Context<T> context;
  context.values = values;
  context.scratch = scratch.data();
  for (std::ptrdiff_t begin = 0; begin < rows; begin += batch) {
    const std::ptrdiff_t count = std::min(batch, rows - begin);
    context.rows = context.tile_rows = count;
    engine::View<T> current = values[static_cast<std::size_t>(plan.input_slot().value)];
    for (std::ptrdiff_t i = 0; i < count; ++i) std::copy_n(x + (begin + i) * width, width, current.at(i));
    auto op = plan.ops().begin();
    for (LayerOutput<T>& output : outputs) {
      // Inference writes over values: they have to be copied before the next layer runs.
      for (; op != plan.ops().end() && belongs((*op)->layer, output.layer); ++op) {
        (*op)->forward(context, {0, count, 0});
        current = values[static_cast<std::size_t>((*op)->output)];
      }
      for (std::ptrdiff_t i = 0; i < count; ++i)
        std::copy_n(current.at(i), output.columns, output.values.data() + (begin + i) * output.columns);
    }
  }
  return outputs;
}

template std::vector<LayerOutput<float>> trace(const Network<float>&, std::ptrdiff_t, const float*);
template std::vector<LayerOutput<double>> trace(const Network<double>&, std::ptrdiff_t, const double*);

}  // namespace deltarule
