#include <deltarule/layers.h>
#include <deltarule/network.h>
#include <algorithm>

namespace deltarule {
template <class T>
Network<T>::Network(const NetworkSpec& spec) {
  make_layers(spec);
  if (spec.input_width < 0)
    throw std::invalid_argument("network: input width " + std::to_string(spec.input_width) +
                                " is not allowed; allowed: >= 1, or 0 for one that build() gives");
  if (spec.input_width > 0) build(spec.input_width);
}

template <class T>
Network<T> Network<T>::for_loading(const NetworkSpec& spec, std::ptrdiff_t most) {
  Network network;
  network.make_layers(spec);
  if (spec.input_width > 0) network.build(spec.input_width, false, most);
  return network;
}

template <class T>
void Network<T>::make_layers(const NetworkSpec& spec) {
  seed_ = spec.seed;
  if (spec.layers.empty()) throw std::invalid_argument("network: no layers given; at least one is needed");
  for (const LayerSpec& l : spec.layers) layers_.push_back(make_layer(l));
  name_layers({&layers_, 1});
  for (std::size_t i = 1; i < layers_.size(); ++i)
    if (layers_[i]->must_be_first())
      throw std::invalid_argument(
          "network: layer '" + layers_[i]->name() + "' (" + std::string(layers_[i]->entry().name) +
          ") reads the network's input and must be the first layer; it is number " + std::to_string(i + 1));
  link_activations(layers_, {}, true);
}

template <class T>
Network<T>::Network(const Network& other)
    : seed_(other.seed_),
      tensors_(other.tensors_),
      input_width_(other.input_width_),
      output_width_(other.output_width_),
      parameters_(other.parameters_),
      gradients_(other.gradients_),
      statistics_(other.statistics_),
      adapted_(other.adapted_) {
  for (const auto& layer : other.layers_) layers_.push_back(layer->clone());
}

template <class T>
void Network<T>::build(std::ptrdiff_t input_width) {
  build(input_width, true,
        std::numeric_limits<std::ptrdiff_t>::max() / static_cast<std::ptrdiff_t>(sizeof(T)));
}

template <class T>
void Network<T>::build(std::ptrdiff_t input_width, bool draw, std::ptrdiff_t most) {
  if (built()) {
    if (input_width == input_width_) return;
    throw std::invalid_argument("network: already built for " + std::to_string(input_width_) +
                                " inputs, asked for " + std::to_string(input_width));
  }
  if (layers_.empty()) throw std::invalid_argument("network: it was moved away; allowed: the one it went to");
  if (input_width < 1)
    throw std::invalid_argument("network: input width " + std::to_string(input_width) +
                                " is not allowed; allowed: >= 1");
  const std::ptrdiff_t width = build_chain(layers_, input_width);
  std::ptrdiff_t trained = 0, kept = 0;
  std::vector<Tensor> list = tensors_of(layers_);
  for (Tensor& t : list) {
    if (t.initializer.name() == LSUV::entry.name && (t.role != Role::weight || t.table))
      throw std::invalid_argument(
          "network: array '" + t.name +
          "' has the initializer 'lsuv', which scales the outputs of a layer; allowed "
          "for the weights of dense and conv_2d");
    if (t.columns > 0 && t.rows > (most - trained - kept) / t.columns)
      throw std::length_error("network: array '" + t.name + "' of " + std::to_string(t.rows) + " x " +
                              std::to_string(t.columns) + " numbers is too large");
    std::ptrdiff_t& next = t.trained() ? trained : kept;
    t.offset = next;
    next += t.size();
  }
  parameters_ = engine::Buffer<T>(static_cast<std::size_t>(trained));
  statistics_ = engine::Buffer<T>(static_cast<std::size_t>(kept));
  for (std::size_t number = 0; draw && number < list.size(); ++number) {
    const Tensor& t = list[number];
    std::vector<double> draws = initial_values(t, seed_, number);
    if (!t.lengths_of.empty()) {
      const Tensor& of =
          *std::find_if(list.begin(), list.end(), [&](const auto& o) { return o.name == t.lengths_of; });
      const T* from = parameters_.data() + of.offset;
      column_lengths({from, from + of.size()}, draws);
    }
    T* target = (t.trained() ? parameters_ : statistics_).data() + t.offset;
    std::transform(draws.begin(), draws.end(), target, [](double x) { return static_cast<T>(x); });
  }
  tensors_ = std::move(list);
  input_width_ = input_width;
  output_width_ = width;
  adapted_ = false;
}

template <class T>
NetworkSpec Network<T>::spec() const {
  NetworkSpec spec{seed_, {}, input_width_};
  for (const auto& layer : layers_) spec.layers.push_back(layer->spec());
  return spec;
}

template <class T>
std::span<T> Network<T>::gradients() {
  if (gradients_.size() != parameters_.size()) gradients_ = engine::Buffer<T>(parameters_.size());
  return gradients_.span();
}

template <class T>
std::span<T> Network<T>::tensor(std::string_view name) {
  for (const Tensor& t : tensors_)
    if (t.name == name)
      return (t.trained() ? parameters_ : statistics_)
          .span()
          .subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.size()));
  std::vector<std::string_view> known;
  for (const Tensor& t : tensors_) known.push_back(t.name);
  throw std::invalid_argument("network: no array '" + std::string(name) + "'" +
                              catalog::suggestion(name, known));
}

template class Network<float>;
template class Network<double>;

}  // namespace deltarule
