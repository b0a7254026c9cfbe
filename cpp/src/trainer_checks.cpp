#include "trainer_checks.h"

#include <deltarule/custom.h>
#include <deltarule/elementwise.h>
#include <deltarule/metrics.h>

#include <algorithm>
#include <cmath>

#include "message_text.h"

namespace deltarule::trainer_checks {

// What stands before an activation whose derivative is 0 everywhere would never learn.
template <class T>
void refuse_flat_activations(const Chain& chain, const std::string& outer) {
  bool trained = false;
  for (const auto& layer : chain) {
    const std::string own = outer + layer->name();
    for (const Chain& inner : layer->inside()) refuse_flat_activations<T>(inner, own + ".");
    for (const Tensor& t : layer->tensors()) trained = trained || t.trained();
    const LayerSpec spec = layer->spec();
    for (const Part& part : layer->entry().parts) {
      const auto given = spec.parts.find(std::string(part.name));
      if (!trained || part.family != Family::activation || given == spec.parts.end()) continue;
      const Choice choice = catalog::choose_activation(given->second);
      if (choice.family != Family::activation || !activation_kernel<T>(choice.index).flat(choice.values))
        continue;
      const std::string name(choice.entry->name);
      throw std::invalid_argument("trainer: layer '" + own + "' has the activation '" + name +
                                  "', whose derivative is 0 everywhere, so that nothing before it can learn; "
                                  "allowed: '" +
                                  name + "' with straight_through=True, or another activation");
    }
  }
}

std::vector<Choice> choose_schedule(const std::vector<Spec>& specs) {
  std::vector<Choice> chosen;
  for (const Spec& s : specs) chosen.push_back(catalog::choose(Family::schedule, s));
  for (std::size_t i = 1; i < chosen.size(); ++i)
    if (const Entry& before = *chosen[i - 1].entry; !before.wraps)
      throw std::invalid_argument("schedule '" + std::string(before.name) + "': '" +
                                  std::string(chosen[i].entry->name) +
                                  "' stands behind it and would never be asked; allowed behind it: nothing "
                                  "(what wraps another schedule stands before it)");
  return chosen;
}

template <class T>
std::vector<Choice> choose_metrics(const std::vector<Spec>& specs, const Choice& loss) {
  std::vector<Choice> chosen;
  for (const Spec& s : specs) {
    Choice metric = catalog::choose(Family::metric, s);
    const auto is_threshold = [](const auto& x) { return x.name == "threshold"; };
    const auto own = std::ranges::find_if(metric.entry->parameters, is_threshold);
    // A logit is on the right side of the decision at 0, not at one half.
    if (own != metric.entry->parameters.end() && std::ranges::none_of(s.settings, is_threshold) &&
        loss_kernel<T>(loss.index).from_logits)
      metric.values[static_cast<std::size_t>(own - metric.entry->parameters.begin())] = 0;
    if (metric.entry->target == Target::values && loss.entry->target == Target::label)
      throw std::invalid_argument("metric '" + s.name + "' compares values, but the loss '" +
                                  std::string(loss.entry->name) + "' takes class labels");
    chosen.push_back(std::move(metric));
  }
  return chosen;
}

void check_number(const std::string& what, const std::optional<double>& value, bool zero_allowed) {
  if (!value || (std::isfinite(*value) && (zero_allowed ? *value >= 0 : *value > 0))) return;
  throw std::invalid_argument("trainer: " + what + " = " + number(*value) +
                              " is not allowed; allowed: a finite number " + (zero_allowed ? ">= 0" : "> 0"));
}

template <class T>
void check_loss(const Choice& loss, std::size_t outputs, bool metrics) {
  const auto& kernel = loss_kernel<T>(loss.index);
  const std::string name = "loss '" + std::string(loss.entry->name) + "'";
  if (!kernel.trainable)
    throw std::invalid_argument(
        name +
        " cannot be trained on: its derivative is 0 everywhere; allowed: a loss with a slope, such as "
        "'sparse_softmax_cross_entropy' (its value: metric 'accuracy')");
  const auto per_target = static_cast<std::size_t>(kernel.outputs_per_target);
  if (outputs % per_target != 0)
    throw std::invalid_argument(name + " needs " + std::to_string(per_target) +
                                " outputs for each target; the network has " + std::to_string(outputs));
  if (per_target > 1 && metrics)
    throw std::invalid_argument(name +
                                ": metrics are not allowed, as its targets have another width than the "
                                "network's outputs");
  if (loss.entry->target != Target::values && outputs < 2)
    throw std::invalid_argument(name + " needs one output per class, at least 2; the network has " +
                                std::to_string(outputs) +
                                " (for two classes with one output: sigmoid_cross_entropy)");
}

// Delta w = eta (t - y) x is the gradient step of half the squared error of linear units, and of nothing
// else.
void check_delta_rule(const NetworkSpec& network, const Entry& loss) {
  if (loss.name != "quadratic")
    throw std::invalid_argument("optimizer 'delta_rule': loss '" + std::string(loss.name) +
                                "' is not allowed; allowed: 'quadratic'");
  bool linear = network.layers.size() == 1 && network.layers[0].type == "dense";
  if (linear)
    if (const auto part = network.layers[0].parts.find("activation"); part != network.layers[0].parts.end())
      linear = part->second.name.empty() || part->second.name == "identity";
  if (!linear)
    throw std::invalid_argument(
        "optimizer 'delta_rule': the network is not a single linear layer; allowed: one dense layer without "
        "activation (for deeper networks: sgd)");
}

template <class T>
void check_control(Network<T>& network, const TrainingControl& control, const Choice& loss,
                   const Choice& optimizer, const std::vector<TensorSettings>& tensors) {
  if (custom::is_custom(optimizer.index))
    for (const TensorSettings& t : tensors)
      if (t.learning_rate_factor != 1)
        throw std::invalid_argument("optimizer '" + std::string(optimizer.entry->name) +
                                    "' sees all parameters at once: parameter groups with a "
                                    "learning_rate_factor are not allowed");
  if (control.mixup > 0 && loss.entry->target == Target::label)
    throw std::invalid_argument("mixup: the loss '" + std::string(loss.entry->name) +
                                "' takes class labels, which cannot be mixed; allowed: a loss of values or "
                                "distributions, such as softmax_cross_entropy with one-hot rows");
  if (!control.dp_clip_norm) return;
  const engine::Plan<T> plan(network, {.max_rows = 1, .training = true});
  for (const auto& op : plan.ops())
    if (!op->has_row_norms())
      throw std::invalid_argument("dp_clip_norm: layer '" + op->layer + "' (" + op->describe() +
                                  ") has no gradient norm per row; allowed: dense layers, and layers "
                                  "without parameters that treat every row by itself");
}

#define DELTARULE_CHECKS_OF(T)                                                                      \
  template void refuse_flat_activations<T>(const Chain&, const std::string&);                       \
  template std::vector<Choice> choose_metrics<T>(const std::vector<Spec>&, const Choice&);          \
  template void check_loss<T>(const Choice&, std::size_t, bool);                                    \
  template void check_control<T>(Network<T>&, const TrainingControl&, const Choice&, const Choice&, \
                                 const std::vector<TensorSettings>&);
DELTARULE_CHECKS_OF(float)
DELTARULE_CHECKS_OF(double)

}  // namespace deltarule::trainer_checks
