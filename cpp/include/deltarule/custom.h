// What the catalogue does not have: activations, losses, update rules and layers given at run time.
//
// Each is registered under a name and from then on found like those of the catalogue: in descriptions, in
// model files (the program that reads one registers the same names first) and by catalog::find. Registering a
// name again replaces it for networks made afterwards. Nothing is ever removed. Any thread may register.
//
// A function may throw: training and evaluation end with its exception and the weights of the last finished
// step; Session::run fills its output with NaN and keeps the exception.
#pragma once

#include <deltarule/layer.h>
#include <deltarule/loss_kernel.h>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

namespace deltarule::custom {

// An elementwise function, called from several threads at a time with any number of elements.
template <class T>
struct ActivationFunctions {
  std::function<void(std::span<const T> x, std::span<T> y)> forward;         // y = f(x)
  std::function<void(std::span<const T> x, std::span<T> slope)> derivative;  // f'(x)
};
void add_activation(const std::string& name, ActivationFunctions<float> single,
                    ActivationFunctions<double> whole);

// f and df are called with one float or one double.
template <class F, class D>
void add_activation(const std::string& name, F f, D df) {
  const auto functions = [&]<class T>() {
    const auto all = [](auto function) {
      return [function](std::span<const T> x, std::span<T> y) {
        for (std::size_t i = 0; i < x.size(); ++i) y[i] = function(x[i]);
      };
    };
    return ActivationFunctions<T>{all(f), all(df)};
  };
  add_activation(name, functions.template operator()<float>(), functions.template operator()<double>());
}

// A loss, called by one thread with all rows of a batch.
struct LossOptions {
  Target target = Target::values;
  bool from_logits = false;  // for accuracy: with one output, decide at 0 and not at one half
};
void add_loss(const std::string& name, LossFunction<float> single, LossFunction<double> whole,
              const LossOptions& options = {});

template <class T, class Row>
concept takes_values =
    requires(const Row& row, std::size_t n, const T* y, T* gradient) { row(n, y, y, gradient); };
template <class T, class Row>
concept takes_classes = requires(const Row& row, std::size_t n, const T* y, std::int32_t label, T* gradient) {
  row(n, y, label, gradient);
};

// Row by row: `row(n, prediction, target, gradient)` gives the loss of n outputs and writes its gradient;
// target is a pointer to values, or a class number where options.target is Target::label.
template <class Row>
void add_loss_of_rows(const std::string& name, Row row, const LossOptions& options = {}) {
  const auto function = [&]<class T>() {
    constexpr bool values = takes_values<T, Row>, classes = takes_classes<T, Row>;
    static_assert(
        values || classes,
        "row must take (std::size_t n, const T* prediction, const T* target, T* gradient), or a class "
        "number in place of target, for T = float and for T = double");
    if (options.target == Target::label ? !classes : !values)
      throw std::invalid_argument("add_loss_of_rows: '" + name + "' takes " +
                                  (classes ? "class numbers, but the option target says values"
                                           : "values, but the option target says class numbers"));
    return LossFunction<T>(
        [row, label = options.target == Target::label](const LossRows<T>& in, double* value, T* gradient) {
          (void)label;  // clang 22 warns where a row takes one kind of target
          for (std::size_t i = 0; i < in.rows; ++i) {
            const auto r = static_cast<std::ptrdiff_t>(i);
            const T* y = in.prediction + r * in.prediction_row;
            T* g = gradient + i * in.outputs;
            if constexpr (values)
              if (!label) {
                value[i] = static_cast<double>(row(in.outputs, y, in.target + r * in.target_row, g));
                continue;
              }
            if constexpr (classes) value[i] = static_cast<double>(row(in.outputs, y, in.label[i], g));
          }
        });
  };
  add_loss(name, function.template operator()<float>(), function.template operator()<double>(), options);
}

// An update rule, called by one thread once a step with all parameters and the gradient of the whole batch.
template <class T>
struct RuleArguments {
  std::span<T> parameters;
  std::span<const T> gradient;
  double learning_rate;  // of this step
  std::int64_t step;     // from 1 on
};
template <class T>
using Rule = std::function<void(const RuleArguments<T>&)>;
void add_optimizer(const std::string& name, Rule<float> single, Rule<double> whole,
                   double learning_rate = 1e-3);

// A layer: a class made with LayerOf, or whatever the factory returns. The entry must stay where it is.
void add_layer(const Entry& entry, std::function<std::unique_ptr<Layer>(const LayerSpec&)> factory);
template <class L>
void add_layer() {
  add_layer(L::entry, [](const LayerSpec& spec) { return std::make_unique<L>(spec); });
}

// Numbers of registered things begin here.
inline constexpr int first_index = 1 << 20;
inline bool is_custom(int index) { return index >= first_index; }

// -1 where the name is not registered.
int find(Family family, std::string_view name);
const Entry& entry(Family family, int index);
std::vector<std::string_view> names(Family family);

template <class T>
const ActivationFunctions<T>& activation(int index);
template <class T>
const LossKernel<T>& loss(int index);
template <class T>
const Rule<T>& rule(int index);
std::unique_ptr<Layer> make_layer(int index, const LayerSpec& spec);

}  // namespace deltarule::custom
