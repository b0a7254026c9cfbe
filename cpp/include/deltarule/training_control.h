// What training may be asked for beside loss and rule: settings by parameter, penalties, mixup, averages of
// the weights, privacy.
#pragma once

#include <deltarule/layer.h>
#include <deltarule/tensor_update.h>
#include <optional>

namespace deltarule {

// Settings of the parameters whose names match; * stands for any text, ? for one character. What a later
// group sets goes before what an earlier one does.
struct ParameterGroup {
  std::string match;
  std::optional<double> learning_rate_factor = {}, weight_decay = {}, l1 = {}, l2 = {}, max_norm = {};
  std::optional<bool> as_vector = {};  // Muon leaves it to AdamW
};

struct TrainingControl {
  std::vector<ParameterGroup> parameter_groups = {};
  bool decay_weights_only = false;      // weight_decay leaves out biases, gains and shifts
  double l1 = 0, l2 = 0;                // l1 * sum |w| + l2 * sum w^2 over all weights is added to the loss
  std::optional<double> max_norm = {};  // largest norm of the weights into one unit
  double mixup = 0;                     // shares are drawn from Beta(mixup, mixup); 0: none
  std::optional<double> ema_decay = {};
  std::optional<std::int64_t> swa_start = {};  // first epoch that enters the average
  std::optional<double> dp_clip_norm = {};     // largest norm of the gradient of one row
  double dp_noise_multiplier = 0;              // deviation of the noise, in units of dp_clip_norm
};

// The settings of one trained tensor, groups and defaults put together.
struct TensorSettings {
  std::string name, layer;
  std::ptrdiff_t offset, rows, columns;
  bool vector;
  bool matrix;    // to rules that treat matrices in a way of their own
  Values values;  // of the update rule
  double learning_rate_factor = 1, l1 = 0, l2 = 0;
  double max_norm = 0;  // 0: none
  std::ptrdiff_t size() const { return rows * columns; }
  TensorShape shape() const { return {rows, columns, matrix}; }
  bool penalized() const { return l1 > 0 || l2 > 0; }
};

// Throws std::invalid_argument where a setting is out of range, a group matches nothing, or the rule does not
// know weight_decay.
std::vector<TensorSettings> tensor_settings(std::span<const Tensor> tensors, const Choice& optimizer,
                                            const TrainingControl& control);

}  // namespace deltarule
