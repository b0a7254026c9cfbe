#include <deltarule/engine/plan.h>
#include <deltarule/engine/team.h>
#include <algorithm>
#include <cstdio>
#include <numeric>

namespace deltarule::engine {
namespace {

// Opening a phase to a team costs about a microsecond; below this much arithmetic per thread it is not worth
// it.
constexpr double flops_per_thread = 1.5e6;

// Depends on the batch alone: where tiles are added up, they decide on the order.
std::ptrdiff_t choose_tile_rows(std::ptrdiff_t rows) {
  if (rows <= 32) return std::max<std::ptrdiff_t>(1, rows);
  return rows <= 512 ? 32 : std::max<std::ptrdiff_t>(64, pieces(rows, Phases::most_tasks));
}

// As many tiles for every thread, down to the size at which products become slow.
std::ptrdiff_t share_tile_rows(std::ptrdiff_t rows, std::ptrdiff_t threads) {
  constexpr std::ptrdiff_t least = 8;
  const std::ptrdiff_t usual = choose_tile_rows(rows);
  if (threads <= 1) return usual;
  const std::ptrdiff_t tiles = pieces(pieces(rows, usual), threads) * threads;
  return std::clamp(pieces(rows, tiles), std::min(least, usual), usual);
}

}  // namespace

template <class T>
Plan<T>::Plan(const Network<T>& network, const PlanOptions& options)
    : network_(const_cast<Network<T>&>(network)),
      options_(options),
      tile_rows_(choose_tile_rows(options.max_rows)) {
  if (!network.built())
    throw std::invalid_argument(
        "network: it is not built yet, or was moved away; call build(input_width) first");
  this->training = options.training;
  this->batch_rows = options.max_rows;
  this->home = home_of(network.parameters().size_bytes());
  trainable_ = options.input_gradient;
  this->input = first_ = new_slot(network.input_width());
  kept_[0] = true;  // the caller's data
  for (const auto& layer : network.layers()) lower(*layer);
  for (const auto& op : ops_) {
    scratch_ = std::max(scratch_, op->scratch_size(options.max_rows));
    const Work work = op->work();
    flops_ += options.training ? work.all() : work.forward;
  }
  if (std::none_of(ops_.begin(), ops_.end(), [](const auto& op) { return op->adds_up_tiles(); }))
    tile_rows_ = share_tile_rows(options.max_rows, options.threads);
  make_phases();
  if (options.training && pays_to_descend()) make_descent();
}

template <class T>
void Plan<T>::lower(const Layer& inner) {
  const std::size_t before = ops_.size();
  const std::string outer = layer_;
  const int outer_number = layer_number_;
  if (!layer_.empty()) layer_ += '.';
  layer_ += inner.name();
  layer_number_ = layers_++;
  inner.lower(*this);
  for (std::size_t i = before; i < ops_.size(); ++i)
    if (ops_[i]->output < 0) ops_[i]->output = this->input.value;
  layer_ = outer;
  layer_number_ = outer_number;
}

template <class T>
Parameter<T> Plan<T>::parameter(std::string_view tensor) {
  const auto view = network_.tensor(layer_ + "." + std::string(tensor));
  return {view.data(), view.data() - network_.parameters().data()};
}

template <class T>
T* Plan<T>::statistic(std::string_view tensor) {
  return network_.tensor(layer_ + "." + std::string(tensor)).data();
}

template <class T>
Slot Plan<T>::new_slot(std::ptrdiff_t columns) {
  Slot slot{columns, static_cast<int>(values_.size()), -1};
  values_.push_back(columns);
  kept_.push_back(false);
  if (this->training && trainable_) {
    slot.gradient = static_cast<int>(gradients_.size());
    gradients_.push_back(columns);
  }
  return slot;
}

template <class T>
Slot Plan<T>::new_value(Slot like) {
  if (!this->training && !kept_[static_cast<std::size_t>(like.value)])
    return like;  // inference works in place
  const Slot slot{like.columns, static_cast<int>(values_.size()), like.gradient};
  values_.push_back(like.columns);
  kept_.push_back(false);
  return slot;
}

template <class T>
Slot Plan<T>::branch(Slot shared) {
  kept_[static_cast<std::size_t>(shared.value)] = true;
  trainable_ = shared.has_gradient();
  if (!shared.has_gradient()) return shared;
  const Slot slot{shared.columns, shared.value, static_cast<int>(gradients_.size())};
  gradients_.push_back(shared.columns);
  return slot;
}

template <class T>
void Plan<T>::add(std::unique_ptr<Op<T>> op) {
  op->number = static_cast<int>(ops_.size());
  op->layer_number = layer_number_;
  op->layer = layer_;
  ops_.push_back(std::move(op));
}

template <class T>
void Plan<T>::make_phases() {
  const auto close = [](std::vector<Phase<T>>& phases) {
    if (!phases.back().empty()) phases.emplace_back();
  };
  forward_ = {Phase<T>{}};
  forward_.back().calls.push_back({Action::load, nullptr});
  for (const auto& owned : ops_) {
    Op<T>* op = owned.get();
    if (op->needs_batch()) {
      forward_.back().calls.push_back({Action::collect, op});
      forward_.emplace_back();
      forward_.back().combine.push_back(op);
    }
    if (this->training && op->by_tasks()) {
      close(forward_);
      forward_.back().tasks_of = op;
      forward_.emplace_back();
      forward_.back().calls.push_back({Action::finish_forward, op});
    } else if (!op->backward_only()) {
      forward_.back().calls.push_back({Action::forward, op});
    }
  }
  backward_ = {Phase<T>{}};
  for (auto owned = ops_.rbegin(); owned != ops_.rend(); ++owned) {
    Op<T>* op = owned->get();
    if (op->needs_batch()) {
      backward_.back().calls.push_back({Action::collect_backward, op});
      backward_.emplace_back();
      backward_.back().combine_backward.push_back(op);
    }
    if (op->by_tasks()) {
      backward_.back().calls.push_back({Action::start_backward, op});
      if (op->backward_tasks(1) == 0) continue;
      backward_.emplace_back();
      backward_.back().tasks_of = op;
      backward_.back().backward_tasks = true;
      backward_.emplace_back();
    } else {
      backward_.back().calls.push_back({Action::backward, op});
    }
  }
  ascent_ = forward_;
  const Call<T> loss{Action::loss, nullptr};
  if (options_.whole_loss)
    ascent_.push_back({.calls = {loss}, .whole = true});
  else
    ascent_.back().calls.push_back(loss);
  step_ = ascent_;
  auto rest = backward_.begin();
  if (!options_.whole_loss) {  // the last tile phase of the way up and the first of the way down are one
    auto& join = step_.back().calls;
    join.insert(join.end(), rest->calls.begin(), rest->calls.end());
    ++rest;
  }
  step_.insert(step_.end(), rest, backward_.end());
  std::erase_if(
      step_, [](const Phase<T>& p) { return p.empty() && p.combine.empty() && p.combine_backward.empty(); });
}

// Where a core's own cache does not hold what a step goes through (weights count four times: turned, and with
// two states), and half of it what a layer does.
template <class T>
bool Plan<T>::pays_to_descend() const {
  if (gradients_.empty() || std::ranges::any_of(ops_, [](const auto& op) { return op->by_tasks(); }))
    return false;
  const auto bytes = [&](std::ptrdiff_t columns) {
    return static_cast<std::size_t>(columns * options_.max_rows) * sizeof(T);
  };
  const auto sum = [](const auto& columns) { return std::reduce(columns.begin(), columns.end()); };
  return bytes(sum(values_) + sum(gradients_)) + 4 * network_.parameters().size_bytes() > second_cache &&
         bytes(3 * std::ranges::max(gradients_)) <= second_cache / 2;
}

template <class T>
void Plan<T>::make_descent() {
  // What adds up tiles does so in their order.
  const bool whole = std::ranges::none_of(ops_, [](const auto& op) { return op->adds_up_tiles(); });
  for (const Phase<T>& phase : backward_)
    for (const Call<T>& call : phase.calls)
      descent_.push_back(
          {.combine_backward = &call == phase.calls.data() ? phase.combine_backward : std::vector<Op<T>*>{},
           .calls = {call},
           .whole = whole});
}

template <class T>
int Plan<T>::useful_threads(std::ptrdiff_t rows, int available, double more) const {
  const double work = flops_ * static_cast<double>(rows) + more;
  const double by_work = work / flops_per_thread;
  return std::clamp(by_work < 1 ? 1 : static_cast<int>(std::min(by_work, 4096.0)), 1, std::max(1, available));
}

template <class T>
void Plan<T>::reserve() {
  for (const auto& op : ops_) op->reserve(options_.max_rows, tiles(options_.max_rows));
}

template <class T>
std::vector<PhaseCost> Plan<T>::costs() const {
  const std::ptrdiff_t rows = options_.max_rows;
  std::vector<PhaseCost> costs;
  for (const Phase<T>& phase : step_) {
    PhaseCost cost{.tasks = tiles(rows)};
    if (phase.whole) cost.tasks = 1;
    if (const Op<T>* op = phase.tasks_of) {
      cost.tasks = phase.backward_tasks ? op->backward_tasks(rows) : op->forward_tasks(rows);
      cost.flops += phase.backward_tasks ? op->work().backward : op->work().forward;
    }
    for (const Call<T>& call : phase.calls) {
      if (call.action == Action::forward) cost.flops += call.op->work().forward;
      if (call.action == Action::backward) cost.flops += call.op->work().backward;
    }
    cost.flops *= static_cast<double>(rows);
    costs.push_back(cost);
  }
  PhaseCost weights{.tasks = 0};
  for (const auto& op : ops_) {
    weights.tasks += op->weight_tasks();
    weights.flops += op->work().weights * static_cast<double>(rows);
  }
  costs.push_back(weights);
  return costs;
}

template <class T>
std::string Plan<T>::explain(std::size_t state_arrays, std::string_view rule, bool fused) const {
  std::string text;
  const auto line = [&](const char* format, auto... args) {
    char buffer[256];
    std::snprintf(buffer, sizeof(buffer), format, args...);
    text += buffer;
    text += '\n';
  };
  const std::vector<PhaseCost> costs = this->costs();
  line("plan for %td rows, %s, %td inputs, %td outputs", options_.max_rows,
       sizeof(T) == 4 ? "float32" : "float64", first_.columns, this->input.columns);
  int number = 0;
  for (const Phase<T>& phase : step_) {
    const PhaseCost& cost = costs[static_cast<std::size_t>(number++)];
    const double mflop = cost.flops / 1e6;
    if (phase.tasks_of)
      line("  phase %d: %d tasks, %.3g MFLOP, of %s: %s%s", number, cost.tasks, mflop,
           phase.tasks_of->layer.c_str(), phase.tasks_of->describe().c_str(),
           phase.backward_tasks ? ", gradient of the input" : "");
    else if (phase.whole)
      line("  phase %d: all rows at once, %.3g MFLOP", number, mflop);
    else
      line("  phase %d: %d row tiles of %td rows, %.3g MFLOP", number, cost.tasks, tile_rows_, mflop);
    for (const Call<T>& call : phase.calls) {
      static constexpr const char* names[] = {"gather batch",          "forward",
                                              "forward (activation)",  "collect batch sums",
                                              "loss and its gradient", "backward (activation)",
                                              "collect gradient sums", "backward"};
      line("    %-22s %s", names[static_cast<std::size_t>(call.action)],
           call.op ? (call.op->layer + ": " + call.op->describe()).c_str() : "");
    }
  }
  line("  phase %d: %d tasks, %.3g MFLOP: weight gradients%s%s", number + 1, costs.back().tasks,
       costs.back().flops / 1e6, fused ? ", updated while in the cache by " : "; then ",
       std::string(rule).c_str());
  if (fused && !descent_.empty())
    text += "  one thread goes down layer by layer, all rows of each, and updates its weights there\n";
  std::size_t elements = scratch_ * static_cast<std::size_t>(threads());
  for (const auto columns : values_)
    elements += static_cast<std::size_t>(padded<T>(columns) * options_.max_rows);
  for (const auto columns : gradients_)
    elements += static_cast<std::size_t>(padded<T>(columns) * options_.max_rows);
  const std::size_t parameters = network_.parameters().size();
  line("  parameters %zu (%zu bytes), optimizer state %zu arrays (%zu bytes), workspace %zu bytes",
       parameters, parameters * sizeof(T), state_arrays, state_arrays * parameters * sizeof(T),
       elements * sizeof(T));
  line("  %.3g MFLOP a step; threads: %d (one for every %.3g MFLOP, at most as many as available)",
       flops_ * static_cast<double>(options_.max_rows) / 1e6, threads(), flops_per_thread / 1e6);
  return text;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace deltarule::engine
