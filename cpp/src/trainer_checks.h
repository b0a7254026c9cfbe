// What a trainer refuses before it trains: parts that do not go together. Internal to trainer.cpp.
#pragma once

#include <deltarule/trainer.h>

#include <optional>
#include <string>
#include <vector>

namespace deltarule::trainer_checks {

// `outer`: the names of the layers around, each with a dot.
template <class T>
void refuse_flat_activations(const Chain& chain, const std::string& outer = {});
std::vector<Choice> choose_schedule(const std::vector<Spec>& specs);
template <class T>
std::vector<Choice> choose_metrics(const std::vector<Spec>& specs, const Choice& loss);
// A setting of the trainer, where it is given: a finite number.
void check_number(const std::string& what, const std::optional<double>& value, bool zero_allowed = true);
template <class T>
void check_loss(const Choice& loss, std::size_t outputs, bool metrics);
void check_delta_rule(const NetworkSpec& network, const Entry& loss);
template <class T>
void check_control(Network<T>& network, const TrainingControl& control, const Choice& loss,
                   const Choice& optimizer, const std::vector<TensorSettings>& tensors);

}  // namespace deltarule::trainer_checks
