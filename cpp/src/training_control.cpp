#include <deltarule/training_control.h>
#include <cmath>

#include "message_text.h"
#include "trainer_checks.h"

namespace deltarule {
namespace {

// When a text does not go on as it should, the last star takes in one character more.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

void check(const TrainingControl& control) {
  using trainer_checks::check_number;
  check_number("l1", control.l1);
  check_number("l2", control.l2);
  check_number("max_norm", control.max_norm, false);
  check_number("mixup", control.mixup);
  check_number("dp_clip_norm", control.dp_clip_norm, false);
  check_number("dp_noise_multiplier", control.dp_noise_multiplier);
  if (control.dp_noise_multiplier > 0 && !control.dp_clip_norm)
    throw std::invalid_argument("trainer: dp_noise_multiplier is given without dp_clip_norm; allowed: both");
  if (control.dp_clip_norm && control.mixup > 0)
    throw std::invalid_argument(
        "trainer: mixup and dp_clip_norm are both given; allowed: one of them (a mixed "
        "row carries two rows of data)");
  if (control.ema_decay && !(*control.ema_decay >= 0 && *control.ema_decay < 1))
    throw std::invalid_argument("trainer: ema_decay = " + number(*control.ema_decay) +
                                " is not allowed; allowed: 0 <= ema_decay < 1");
  if (control.swa_start && *control.swa_start < 0)
    throw std::invalid_argument("trainer: swa_start = " + std::to_string(*control.swa_start) +
                                " is not allowed; allowed: 0 or more");
  if (control.ema_decay && control.swa_start)
    throw std::invalid_argument("trainer: ema_decay and swa_start are both given; allowed: one of them");
  for (const ParameterGroup& g : control.parameter_groups) {
    const std::string where = "parameter group '" + g.match + "': ";
    check_number(where + "learning_rate_factor", g.learning_rate_factor);
    check_number(where + "weight_decay", g.weight_decay);
    check_number(where + "l1", g.l1);
    check_number(where + "l2", g.l2);
    check_number(where + "max_norm", g.max_norm, false);
  }
}

}  // namespace

std::vector<TensorSettings> tensor_settings(std::span<const Tensor> tensors, const Choice& optimizer,
                                            const TrainingControl& control) {
  check(control);
  std::size_t decay = optimizer.entry->parameters.size();
  for (std::size_t i = 0; i < optimizer.entry->parameters.size(); ++i)
    if (optimizer.entry->parameters[i].name == "weight_decay") decay = i;
  const bool decays = decay < optimizer.entry->parameters.size();
  const auto needs_decay = [&](const std::string& what) {
    if (!decays)
      throw std::invalid_argument("trainer: " + what + ", but the optimizer '" +
                                  std::string(optimizer.entry->name) + "' has no weight_decay");
  };
  if (control.decay_weights_only) needs_decay("decay_exclude is given");

  std::vector<TensorSettings> list;
  std::string names;
  for (const Tensor& t : tensors) {
    if (!t.trained()) continue;
    TensorSettings s{.name = t.name,
                     .layer = t.layer,
                     .offset = t.offset,
                     .rows = t.rows,
                     .columns = t.columns,
                     .vector = t.vector,
                     .matrix = !t.vector && !t.table && t.role == Role::weight,
                     .values = optimizer.values};
    if (t.role == Role::weight) {
      s.l1 = control.l1;
      s.l2 = control.l2;
      if (!t.vector) s.max_norm = control.max_norm.value_or(0);
    } else if (control.decay_weights_only) {
      s.values[decay] = 0;
    }
    names += (names.empty() ? "" : ", ") + t.name;
    list.push_back(std::move(s));
  }
  for (const ParameterGroup& g : control.parameter_groups) {
    if (g.weight_decay) needs_decay("parameter group '" + g.match + "' sets weight_decay");
    bool found = false;
    for (TensorSettings& s : list) {
      if (!matches(g.match, s.name)) continue;
      found = found || !g.max_norm || !s.vector;
      s.learning_rate_factor = g.learning_rate_factor.value_or(s.learning_rate_factor);
      if (g.weight_decay) s.values[decay] = *g.weight_decay;
      s.l1 = g.l1.value_or(s.l1);
      s.l2 = g.l2.value_or(s.l2);
      if (g.as_vector) s.matrix = !*g.as_vector && !s.vector;
      if (g.max_norm && !s.vector) s.max_norm = *g.max_norm;
    }
    if (!found)
      throw std::invalid_argument("trainer: parameter group '" + g.match +
                                  (g.max_norm ? "' matches no weight matrix" : "' matches no parameter") +
                                  "; there are: " + names);
  }
  for (TensorSettings& s : list)
    if (s.learning_rate_factor == 0) s.max_norm = 0;  // frozen
  return list;
}

}  // namespace deltarule
