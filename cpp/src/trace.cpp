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

template <class T>
void name_outputs(const Chain& chain, const std::string& outer, std::ptrdiff_t rows,
                  std::vector<LayerOutput<T>>& outputs) {
  for (const auto& layer : chain) {
    const std::string name = outer + layer->name();
    outputs.push_back({name, layer->output_width(),
                       std::vector<T>(static_cast<std::size_t>(rows * layer->output_width()))});
    for (const Chain& inner : layer->inside()) name_outputs(inner, name + ".", rows, outputs);
  }
}

// Runs the operations of a batch, layer by layer. Inference writes over values: what a layer makes is copied
// before the next one runs.
template <class T>
class Walk {
 public:
  Walk(const engine::Plan<T>& plan, const engine::Context<T>& context, std::ptrdiff_t begin,
       std::vector<LayerOutput<T>>& outputs)
      : context_(context),
        begin_(begin),
        op_(plan.ops().begin()),
        end_(plan.ops().end()),
        output_(outputs.begin()) {}

  // `current`: what the chain reads; returns what it makes.
  engine::View<T> run(const Chain& chain, engine::View<T> current) {
    for (const auto& layer : chain) {
      LayerOutput<T>& own = *output_++;
      // A wrapped layer has no operations of its own.
      const bool wraps = layer->entry().inner.kind == Inside::layer;
      const auto wrapped = output_;
      if (wraps) output_ += static_cast<std::ptrdiff_t>(layer->inside()[0].size());
      for (const Chain& inner : layer->inside())
        if (!wraps) run(inner, current);
      for (; op_ != end_ && belongs((*op_)->layer, own.layer); ++op_) {
        (*op_)->forward(context_, {0, context_.rows, 0});
        current = context_.values[static_cast<std::size_t>((*op_)->output)];
      }
      copy(current, own);
      if (wraps) copy(current, *wrapped);
    }
    return current;
  }

 private:
  void copy(engine::View<T> from, LayerOutput<T>& to) const {
    for (std::ptrdiff_t i = 0; i < context_.rows; ++i)
      std::copy_n(from.at(i), to.columns, to.values.data() + (begin_ + i) * to.columns);
  }

  const engine::Context<T>& context_;
  std::ptrdiff_t begin_;
  typename std::vector<std::unique_ptr<engine::Op<T>>>::const_iterator op_, end_;
  typename std::vector<LayerOutput<T>>::iterator output_;
};

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
  name_outputs(network.layers(), {}, rows, outputs);
  engine::Context<T> context;
  context.values = values;
  context.scratch = scratch.data();
  for (std::ptrdiff_t begin = 0; begin < rows; begin += batch) {
    context.rows = context.tile_rows = std::min(batch, rows - begin);
    const engine::View<T> input = values[static_cast<std::size_t>(plan.input_slot().value)];
    for (std::ptrdiff_t i = 0; i < context.rows; ++i)
      std::copy_n(x + (begin + i) * width, width, input.at(i));
    Walk<T>(plan, context, begin, outputs).run(network.layers(), input);
  }
  return outputs;
}

template std::vector<LayerOutput<float>> trace(const Network<float>&, std::ptrdiff_t, const float*);
template std::vector<LayerOutput<double>> trace(const Network<double>&, std::ptrdiff_t, const double*);

}  // namespace deltarule
