#include <RTNeural/RTNeural.h>

#include <utility>

#include "embedded.h"

namespace {

template <class Layer>
void give(Layer& layer, const Matrix& m) {
  std::vector<std::vector<float>> weight(static_cast<std::size_t>(m.units));
  for (int j = 0; j < m.units; ++j)
    for (int i = 0; i < m.inputs; ++i)
      weight[static_cast<std::size_t>(j)].push_back(m.weight[static_cast<std::size_t>(i * m.units + j)]);
  layer.setWeights(weight);
  layer.setBias(m.bias.data());
}

Run dynamic(const Net& net) {
  auto model = std::make_shared<RTNeural::Model<float>>(net.inputs());
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    const Matrix& m = net.layers[i];
    auto* layer = new RTNeural::Dense<float>(m.inputs, m.units);  // the model owns it
    give(*layer, m);
    model->addLayer(layer);
    if (i + 1 == net.layers.size()) continue;
    if (net.activation == "tanh")
      model->addLayer(new RTNeural::TanhActivation<float>(m.units));
    else
      model->addLayer(new RTNeural::ReLuActivation<float>(m.units));
  }
  return [model](const float* row) {
    model->forward(row);
    return model->getOutputs();
  };
}

template <int In, int... Units>
struct Sizes;
template <int In, int Out>
struct Sizes<In, Out> {
  template <template <class, int> class>
  using Fixed = RTNeural::ModelT<float, In, Out, RTNeural::DenseT<float, In, Out>>;
};
template <int In, int A, int B, int Out>
struct Sizes<In, A, B, Out> {
  template <template <class, int> class Activation>
  using Fixed =
      RTNeural::ModelT<float, In, Out, RTNeural::DenseT<float, In, A>, Activation<float, A>,
                       RTNeural::DenseT<float, A, B>, Activation<float, B>, RTNeural::DenseT<float, B, Out>>;
};
template <class T, int N>
using TanhOf = RTNeural::TanhActivationT<T, N>;
template <class T, int N>
using ReluOf = RTNeural::ReLuActivationT<T, N>;

template <class Model>
Run run_fixed(const Net& net) {
  struct State {
    Model model;
    alignas(64) float row[Model::input_size];
  };
  auto state = std::make_shared<State>();
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (give(state->model.template get<static_cast<int>(2 * I)>(), net.layers[I]), ...);
  }(std::make_index_sequence<(Model::input_size == Model::output_size) ? 1 : 3>{});
  return [state](const float* row) {
    std::copy_n(row, static_cast<std::size_t>(Model::input_size), state->row);  // it wants aligned rows
    state->model.forward(state->row);
    return state->model.getOutputs();
  };
}

Run fixed_sizes(const Net& net) {
  Run run;
  with_fixed_sizes<Sizes>(net, [&]<class S>(S) {
    run = net.activation == "tanh" ? run_fixed<typename S::template Fixed<TanhOf>>(net)
                                   : run_fixed<typename S::template Fixed<ReluOf>>(net);
  });
  return run;
}

}  // namespace

std::vector<Competitor> rtneural_ways() {
  return {{"RTNeural, run time", dynamic}, {"RTNeural, compile time", fixed_sizes}};
}
