#include <deltarule/custom.h>
#include <deltarule/update_kernel.h>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>

#include "message_text.h"

namespace deltarule::custom {
namespace {

// The texts of an entry made at run time, and the entry.
struct Declared {
  explicit Declared(std::string given) : name(std::move(given)) {
    own.name = own.class_name = name;
    entry = &own;
  }
  explicit Declared(const Entry& outside) : name(outside.name), entry(&outside) {}
  Declared(const Declared&) = delete;
  std::string name;
  Entry own{};
  const Entry* entry;
};

// Grows, and is read without a lock while it does. Never destroyed: functions in it may outlive main().
template <class Item>
class Registry {
 public:
  static constexpr int capacity = 1 << 14;
  void add(std::unique_ptr<Item> item) {
    const std::lock_guard lock(mutex_);
    const int at = count_.load(std::memory_order_relaxed);
    if (at == capacity)
      throw std::length_error("custom: " + std::to_string(capacity) + " registrations are the limit");
    items_[static_cast<std::size_t>(at)] = item.release();
    count_.store(at + 1, std::memory_order_release);
  }
  int size() const { return count_.load(std::memory_order_acquire); }
  const Item& at(int i) const { return *items_[static_cast<std::size_t>(i)]; }
  // The newest of this name.
  int find(std::string_view name) const {
    for (int i = size() - 1; i >= 0; --i)
      if (at(i).declared.name == name) return i;
    return -1;
  }

 private:
  std::mutex mutex_;
  std::atomic<int> count_{0};
  std::array<Item*, capacity> items_{};
};

struct ActivationItem {
  Declared declared;
  ActivationFunctions<float> single;
  ActivationFunctions<double> whole;
};
struct LossItem {
  Declared declared;
  LossFunction<float> single;
  LossFunction<double> whole;
  LossKernel<float> single_kernel{};
  LossKernel<double> whole_kernel{};
};
struct RuleItem {
  Declared declared;
  Param learning_rate;
  Rule<float> single;
  Rule<double> whole;
};
struct LayerItem {
  Declared declared;
  std::function<std::unique_ptr<Layer>(const LayerSpec&)> factory;
};

template <class Item>
Registry<Item>& registry() {
  static auto* const items = new Registry<Item>;
  return *items;
}

// Calls f with the family's registry, if it has one.
template <class F>
void with(Family family, F&& f) {
  switch (family) {
    case Family::activation:
      return f(registry<ActivationItem>());
    case Family::loss:
      return f(registry<LossItem>());
    case Family::optimizer:
      return f(registry<RuleItem>());
    case Family::layer:
      return f(registry<LayerItem>());
    default:
      return;
  }
}

// A name must not hide one of the catalogue.
void check_name(Family family, std::string_view name) {
  const std::string what = "custom " + std::string(catalog::family_name(family));
  if (name.empty()) throw std::invalid_argument(what + ": the name is empty; allowed: a name of its own");
  for (const Family f : {family, Family::row_op}) {
    if (f != family && family != Family::activation) continue;
    if (catalog::known(f, name))
      throw std::invalid_argument(what + ": the name '" + std::string(name) +
                                  "' is one of the catalogue; allowed: a name of its own");
  }
}

template <class F>
void require(const F& function, Family family, std::string_view name) {
  if (!function)
    throw std::invalid_argument("custom " + std::string(catalog::family_name(family)) + " '" +
                                std::string(name) + "': a function is missing");
}

}  // namespace

void add_activation(const std::string& name, ActivationFunctions<float> single,
                    ActivationFunctions<double> whole) {
  check_name(Family::activation, name);
  for (const auto* f : {&single.forward, &single.derivative}) require(*f, Family::activation, name);
  for (const auto* f : {&whole.forward, &whole.derivative}) require(*f, Family::activation, name);
  auto item = std::unique_ptr<ActivationItem>(
      new ActivationItem{Declared(name), std::move(single), std::move(whole)});
  item->declared.own.reads = Reads::input;
  registry<ActivationItem>().add(std::move(item));
}

void add_loss(const std::string& name, LossFunction<float> single, LossFunction<double> whole,
              const LossOptions& options) {
  check_name(Family::loss, name);
  require(single, Family::loss, name);
  require(whole, Family::loss, name);
  auto item = std::unique_ptr<LossItem>(new LossItem{Declared(name), std::move(single), std::move(whole)});
  item->declared.own.target = options.target;
  const auto fill = [&](auto& kernel, const auto& function) {
    kernel.from_logits = options.from_logits;
    kernel.trainable = true;
    kernel.outputs_per_target = 1;
    kernel.ignore_parameter = -1;
    kernel.custom = &function;
  };
  fill(item->single_kernel, item->single);
  fill(item->whole_kernel, item->whole);
  registry<LossItem>().add(std::move(item));
}

void add_optimizer(const std::string& name, Rule<float> single, Rule<double> whole, double learning_rate) {
  check_name(Family::optimizer, name);
  require(single, Family::optimizer, name);
  require(whole, Family::optimizer, name);
  if (!(learning_rate >= 0 && std::isfinite(learning_rate)))
    throw std::invalid_argument("custom.optimizer: learning_rate = " + number(learning_rate) +
                                " is not allowed; allowed: a number, 0 or more");
  auto item = std::unique_ptr<RuleItem>(
      new RuleItem{Declared(name),
                   Param{.name = "learning_rate",
                         .value = learning_rate,
                         .low = 0,
                         .high_open = true,
                         .meaning = "what the function is given as the step's rate"},
                   std::move(single), std::move(whole)});
  item->declared.own.parameters = std::span<const Param>(&item->learning_rate, 1);
  registry<RuleItem>().add(std::move(item));
}

void add_layer(const Entry& entry, std::function<std::unique_ptr<Layer>(const LayerSpec&)> factory) {
  check_name(Family::layer, entry.name);
  require(factory, Family::layer, entry.name);
  registry<LayerItem>().add(std::unique_ptr<LayerItem>(new LayerItem{Declared(entry), std::move(factory)}));
}

int find(Family family, std::string_view name) {
  int found = -1;
  with(family, [&](const auto& items) { found = items.find(name); });
  return found < 0 ? -1 : first_index + found;
}

const Entry& entry(Family family, int index) {
  const Entry* found = nullptr;
  with(family, [&](const auto& items) { found = items.at(index - first_index).declared.entry; });
  return *found;
}

std::vector<std::string_view> names(Family family) {
  std::vector<std::string_view> all;
  with(family, [&](const auto& items) {
    for (int i = 0; i < items.size(); ++i) all.push_back(items.at(i).declared.name);
  });
  return all;
}

template <>
const ActivationFunctions<float>& activation(int index) {
  return registry<ActivationItem>().at(index - first_index).single;
}
template <>
const ActivationFunctions<double>& activation(int index) {
  return registry<ActivationItem>().at(index - first_index).whole;
}
template <>
const LossKernel<float>& loss(int index) {
  return registry<LossItem>().at(index - first_index).single_kernel;
}
template <>
const LossKernel<double>& loss(int index) {
  return registry<LossItem>().at(index - first_index).whole_kernel;
}
template <>
const Rule<float>& rule(int index) {
  return registry<RuleItem>().at(index - first_index).single;
}
template <>
const Rule<double>& rule(int index) {
  return registry<RuleItem>().at(index - first_index).whole;
}
std::unique_ptr<Layer> make_layer(int index, const LayerSpec& spec) {
  return registry<LayerItem>().at(index - first_index).factory(spec);
}

}  // namespace deltarule::custom
