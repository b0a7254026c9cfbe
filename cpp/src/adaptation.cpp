// Network::adapt: what layers learn from the data once, before training.
#include <deltarule/layers.h>
#include <deltarule/network.h>
#include <deltarule/trace.h>
#include <algorithm>
#include <cmath>

namespace deltarule {
namespace {

// The Standardize layers, those inside others included: only those that see the network's inputs can learn
// from them.
struct Standardizers {
  struct Blind {
    std::string name, behind;
  };
  std::vector<std::string> seeing;
  std::vector<Blind> blind;

  explicit Standardizers(const Chain& network) { add(network, {}, false, {}); }
  bool none() const { return seeing.empty() && blind.empty(); }

 private:
  // `standardised`: what a further one sees has mean 0 and deviation 1 already, as it has when it is new.
  // `changed`: the layer that changed the inputs before, if one did.
  void add(const Chain& chain, const std::string& outer, bool standardised, std::string changed) {
    for (const auto& layer : chain) {
      const std::string name = outer + layer->name();
      if (layer->entry().only_training) continue;
      if (layer->entry().name != Standardize::entry.name) {
        for (const Chain& inner : layer->inside()) add(inner, name + ".", standardised, changed);
        if (changed.empty()) changed = name;
      } else if (!changed.empty()) {
        blind.push_back({name, changed});
      } else if (!standardised) {
        seeing.push_back(name);
        standardised = true;
      }
    }
  }
};

bool is_lsuv(const Tensor& tensor) { return tensor.initializer.name() == LSUV::entry.name; }

// Finds a layer by its path, "residual_1.dense_1".
Layer& layer_at(std::span<const Chain> chains, std::string_view path) {
  const std::string_view first = path.substr(0, path.find('.'));
  for (const Chain& chain : chains)
    for (const auto& layer : chain)
      if (layer->name() == first)
        return first.size() == path.size() ? *layer
                                           : layer_at(layer->inside(), path.substr(first.size() + 1));
  throw std::logic_error("no layer " + std::string(path));
}

template <class T>
double variance_of(std::span<const T> x) {
  double mean = 0, squares = 0;
  for (const T v : x) mean += static_cast<double>(v);
  mean /= static_cast<double>(x.size());
  for (const T v : x) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  return squares / static_cast<double>(x.size());
}

template <class T>
struct Rows {
  std::ptrdiff_t count;
  const T* x;
  std::ptrdiff_t row;
  const std::uint32_t* index;
  const T* at(std::ptrdiff_t i) const {
    return x + (index ? static_cast<std::ptrdiff_t>(index[i]) : i) * row;
  }
};

// Rows spread evenly over all, since data are often sorted.
template <class T>
std::vector<T> some_rows(const Rows<T>& rows, std::ptrdiff_t most, std::ptrdiff_t width) {
  const std::ptrdiff_t count = std::min(rows.count, most);
  std::vector<T> some;
  some.reserve(static_cast<std::size_t>(count * width));
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const T* from = rows.at(i * rows.count / count);
    some.insert(some.end(), from, from + width);
  }
  return some;
}

template <class T>
void learn_standards(Network<T>& network, const Rows<T>& rows) {
  const Standardizers all(network.layers());
  if (!all.blind.empty())
    throw std::invalid_argument(
        "adapt: layer '" + all.blind[0].name +
        "' (standardize) is to learn mean and deviation from the network's inputs, but '" +
        all.blind[0].behind +
        "' before it changes them; allowed: standardize before every other layer, and batch_norm, which "
        "follows what changes, behind them");
  if (all.seeing.empty()) return;
  const auto width = static_cast<std::size_t>(network.input_width());
  std::vector<T> means(width), deviations(width);
  for (std::size_t j = 0; j < width; ++j) {
    double m = 0, squares = 0;
    for (std::ptrdiff_t i = 0; i < rows.count; ++i) {
      const double v = static_cast<double>(rows.at(i)[j]), before = v - m;
      m += before / static_cast<double>(i + 1);
      squares += before * (v - m);
    }
    const double s = std::sqrt(squares / static_cast<double>(rows.count));
    means[j] = static_cast<T>(m);
    // A constant feature becomes zero, not infinite.
    deviations[j] = s > 1e-12 * std::fabs(m) && s > 0 ? static_cast<T>(s) : T(1);
    if (!std::isfinite(means[j]) || !std::isfinite(deviations[j]))
      throw std::invalid_argument(
          "adapt: the values of feature " + std::to_string(j) +
          " are NaN, infinite or too large; allowed: finite numbers whose mean and deviation "
          "are such as well");
  }
  for (const std::string& name : all.seeing) {
    std::ranges::copy(means, network.tensor(name + ".mean").begin());
    std::ranges::copy(deviations, network.tensor(name + ".deviation").begin());
  }
}

template <class T>
bool as_drawn(const Network<T>& network, std::size_t number) {
  const Tensor& t = network.tensors()[number];
  const std::vector<double> draws = initial_values(t, network.seed(), number);
  const auto numbers = t.trained() ? network.parameters() : network.statistics();
  return std::equal(draws.begin(), draws.end(), numbers.begin() + t.offset,
                    [](double drawn, T now) { return static_cast<T>(drawn) == now; });
}

template <class T>
void scale_to_unit_variance(Network<T>& network, const Rows<T>& rows) {
  const std::vector<T> some = some_rows(rows, 512, network.input_width());
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(some.size()) / network.input_width();
  for (std::size_t number = 0; number < network.tensors().size(); ++number) {
    const Tensor& t = network.tensors()[number];
    if (!is_lsuv(t) || !as_drawn(network, number)) continue;
    const double tolerance = t.initializer.values[0];
    for (double pass = 0; pass < t.initializer.values[1]; ++pass) {
      const Network<T> bare(network);
      layer_at({&bare.layers(), 1}, t.layer).forget_activation();
      double size = 1;
      for (const auto& made : trace(bare, count, some.data()))
        if (made.layer == t.layer) size = variance_of(std::span<const T>(made.values));
      // A layer of which nothing comes out, or no numbers, stays as it is.
      if (!(std::fabs(size - 1) > tolerance) || size == 0 || !std::isfinite(size)) break;
      for (const Tensor& scaled : network.tensors())
        if (&scaled == &t || scaled.lengths_of == t.name)
          for (T& w : network.tensor(scaled.name))
            w = static_cast<T>(static_cast<double>(w) / std::sqrt(size));
    }
  }
}

}  // namespace

template <class T>
bool Network<T>::adapts() const {
  const Standardizers all(layers_);
  return !all.none() || std::any_of(tensors_.begin(), tensors_.end(), is_lsuv);
}

template <class T>
void Network<T>::adapt(std::ptrdiff_t count, const T* x, std::ptrdiff_t row, const std::uint32_t* index) {
  if (!built())
    throw std::invalid_argument("adapt: the network is not built yet; call build(input_width) first");
  if (count < 1 || !x) throw std::invalid_argument("adapt: no rows of data given");
  if (count > 1 && row < input_width_)
    throw std::invalid_argument("adapt: rows of " + std::to_string(input_width_) + " numbers cannot lie " +
                                std::to_string(row) + " apart");
  const Rows<T> rows{count, x, row, index};
  learn_standards(*this, rows);
  if (std::any_of(tensors_.begin(), tensors_.end(), is_lsuv)) scale_to_unit_variance(*this, rows);
  adapted_ = true;
}

template <class T>
bool Network<T>::adapted() const {
  const Standardizers all(layers_);
  const auto learned = [&](std::string_view layer) {
    for (std::size_t number = 0; number < tensors_.size(); ++number)
      if (tensors_[number].layer == layer && !as_drawn(*this, number)) return true;
    return false;
  };
  return adapted_ || std::ranges::any_of(all.seeing, learned) ||
         std::ranges::any_of(all.blind, learned, &Standardizers::Blind::name);
}

template <class T>
std::string Network<T>::waits_for_data() const {
  const Standardizers all(layers_);
  if (all.none() || adapted()) return {};
  return all.seeing.empty() ? all.blind[0].name : all.seeing[0];
}

template bool Network<float>::adapted() const;
template bool Network<double>::adapted() const;
template std::string Network<float>::waits_for_data() const;
template std::string Network<double>::waits_for_data() const;
template bool Network<float>::adapts() const;
template bool Network<double>::adapts() const;
template void Network<float>::adapt(std::ptrdiff_t, const float*, std::ptrdiff_t, const std::uint32_t*);
template void Network<double>::adapt(std::ptrdiff_t, const double*, std::ptrdiff_t, const std::uint32_t*);

}  // namespace deltarule
