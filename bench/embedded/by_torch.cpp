#include <torch/torch.h>

#include "embedded.h"

namespace {

Run sequential(const Net& net) {
  struct State {
    torch::nn::Sequential model;
    at::Tensor row, out;
  };
  torch::set_num_threads(1);
  auto state = std::make_shared<State>();
  const torch::NoGradGuard none;
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    const Matrix& m = net.layers[i];
    torch::nn::Linear layer(m.inputs, m.units);
    layer->weight.copy_(torch::from_blob(const_cast<float*>(m.weight.data()), {m.inputs, m.units}).t());
    layer->bias.copy_(torch::from_blob(const_cast<float*>(m.bias.data()), {m.units}));
    state->model->push_back(layer);
    if (i + 1 == net.layers.size()) continue;
    if (net.activation == "tanh")
      state->model->push_back(torch::nn::Tanh());
    else
      state->model->push_back(torch::nn::ReLU());
  }
  state->model->eval();
  state->row = torch::empty({1, net.inputs()});
  return [state](const float* row) {
    const c10::InferenceMode inference;
    std::copy_n(row, state->row.numel(), state->row.data_ptr<float>());
    state->out = state->model->forward(state->row);
    return static_cast<const float*>(state->out.data_ptr<float>());
  };
}

}  // namespace

std::vector<Competitor> torch_ways() { return {{"libtorch", sequential}}; }
