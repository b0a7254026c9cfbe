// What a trainer keeps beside the weights: its size and names, and a copy of it to go back to.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "second_order/natural_gradient.h"
#include "training_run.h"

namespace deltarule {

template <class T>
double Trainer<T>::state_size(const Network<T>& network, const Spec& rule) {
  const Choice choice = catalog::choose(Family::optimizer, rule);
  const int arrays = update_kernel<T>(choice.index).states_used(choice.values);
  double size = arrays * static_cast<double>(network.parameters().size());
  for (const auto& state : second_order::layer_states(network, choice, false))
    size += std::accumulate(state.shape.begin(), state.shape.end(), 1.0, std::multiplies<>());
  return size;
}

template <class T>
std::string Trainer<T>::state_name(int i) const {
  if (i >= rule_states_) return "average";
  const auto& names = optimizer_.entry->states;
  const auto at = static_cast<std::size_t>(i);
  if (at < names.size() && optimizer_.entry->reach != Reach::network) return std::string(names[at]);
  return std::string(names[at % names.size()]) + "_" + std::to_string(at / names.size() + 1);
}

template <class T>
void Trainer<T>::Run::exchange() {
  const int other = update_.kernel->exchanged;
  if (other >= 0 && trainer_.step_ > 0)  // before the first step both are the same
    std::ranges::swap_ranges(trainer_.network_.parameters(),
                             trainer_.states_[static_cast<std::size_t>(other)].span());
}

// A rule that goes over elements keeps what it replaces itself, in the first step: then it is at hand.
template <class T>
void Trainer<T>::Run::take_snapshot() {
  const auto copy = [](std::span<const T> from, engine::Buffer<T>& to, bool later = false) {
    if (to.size() != from.size()) to = engine::Buffer<T>(from.size());
    if (!later) std::copy(from.begin(), from.end(), to.data());
  };
  const bool later = update_.keeping = update_.kernel->update != nullptr;
  const auto states = static_cast<std::size_t>(update_.states);
  copy(trainer_.network_.parameters(), snapshot_.parameters, later);
  snapshot_.states.resize(trainer_.states_.size());
  for (std::size_t i = 0; i < trainer_.states_.size(); ++i)
    copy(trainer_.states_[i].span(), snapshot_.states[i], later && i < states);
  update_.kept[0] = snapshot_.parameters.data();
  for (std::size_t i = 0; i < states; ++i) update_.kept[i + 1] = snapshot_.states[i].data();
  copy(trainer_.network_.statistics(), snapshot_.statistics);
  snapshot_.layer_states.resize(trainer_.layer_states_.size());
  for (std::size_t i = 0; i < trainer_.layer_states_.size(); ++i)
    copy(trainer_.layer_states_[i].data.span(), snapshot_.layer_states[i]);
  snapshot_.sums = trainer_.sums_;
  snapshot_.step = trainer_.step_;
  snapshot_.averaged = trainer_.averaged_;
}

template <class T>
void Trainer<T>::Run::restore_snapshot() {
  // Of what is not trained nothing was kept.
  const auto restore = [this](const engine::Buffer<T>& from, std::span<T> to) {
    for (const TensorSettings& t : trainer_.tensors_)
      std::copy_n(from.data() + t.offset, t.size(), to.data() + t.offset);
  };
  restore(snapshot_.parameters, trainer_.network_.parameters());
  for (std::size_t i = 0; i < snapshot_.states.size(); ++i)
    restore(snapshot_.states[i], trainer_.states_[i].span());
  std::ranges::copy(snapshot_.statistics.span(), trainer_.network_.statistics().begin());
  for (std::size_t i = 0; i < snapshot_.layer_states.size(); ++i)
    std::ranges::copy(snapshot_.layer_states[i].span(), trainer_.layer_states_[i].data.data());
  if (natural_) natural_->set_inverted(false);
  trainer_.sums_ = snapshot_.sums;
  trainer_.step_ = snapshot_.step;
  trainer_.averaged_ = snapshot_.averaged;
}

template <class T>
std::string Trainer<T>::Run::first_bad_layer() {
  for (const auto& op : machine_.plan().ops()) {
    const auto view = machine_.value(op->output);
    const auto columns = machine_.plan().value_columns()[static_cast<std::size_t>(op->output)];
    for (std::ptrdiff_t i = 0; i < rows_; ++i)
      for (std::ptrdiff_t j = 0; j < columns; ++j)
        if (!std::isfinite(view.at(i)[j])) return op->layer;
  }
  return {};
}

template double Trainer<float>::state_size(const Network<float>&, const Spec&);
template double Trainer<double>::state_size(const Network<double>&, const Spec&);
template std::string Trainer<float>::state_name(int) const;
template std::string Trainer<double>::state_name(int) const;
template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
