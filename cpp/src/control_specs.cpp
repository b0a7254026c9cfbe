// Settings of training control as JSON: keys of the trainer's description, written where they are not the
// default.
#include "specs.h"

#include <deltarule/serialize.h>
#include <algorithm>

namespace deltarule {
namespace {

using nlohmann::json;

double number(const json& value, const std::string& what, const std::string& key) {
  if (!value.is_number())
    throw FormatError(what + ": '" + key + "' must be a number, not " + excerpt(value.dump()));
  return value.get<double>();
}

using GroupNumber = std::optional<double> ParameterGroup::*;
constexpr std::pair<const char*, GroupNumber> group_numbers[] = {
    {"learning_rate_factor", &ParameterGroup::learning_rate_factor},
    {"weight_decay", &ParameterGroup::weight_decay},
    {"l1", &ParameterGroup::l1},
    {"l2", &ParameterGroup::l2},
    {"max_norm", &ParameterGroup::max_norm}};
constexpr std::pair<const char*, double TrainingControl::*> numbers[] = {
    {"l1", &TrainingControl::l1},
    {"l2", &TrainingControl::l2},
    {"mixup", &TrainingControl::mixup},
    {"dp_noise_multiplier", &TrainingControl::dp_noise_multiplier}};
constexpr std::pair<const char*, std::optional<double> TrainingControl::*> optional_numbers[] = {
    {"max_norm", &TrainingControl::max_norm},
    {"ema_decay", &TrainingControl::ema_decay},
    {"dp_clip_norm", &TrainingControl::dp_clip_norm}};

ParameterGroup group_from(const json& value, const std::string& what) {
  if (!value.is_object()) throw FormatError(what + ": a parameter group must be an object");
  ParameterGroup group;
  for (const auto& [key, item] : value.items()) {
    if (key == "match") {
      if (!item.is_string()) throw FormatError(what + ": 'match' must be a text");
      group.match = item.get<std::string>();
      continue;
    }
    if (key == "as_vector") {
      if (!item.is_boolean()) throw FormatError(what + ": 'as_vector' must be true or false");
      group.as_vector = item.get<bool>();
      continue;
    }
    const auto* known =
        std::ranges::find(group_numbers, key, [](const auto& n) { return std::string(n.first); });
    if (known == std::end(group_numbers))
      throw FormatError(what + ": unknown key '" + key + "' in a parameter group");
    if (!item.is_null()) group.*known->second = number(item, what, key);
  }
  if (group.match.empty()) throw FormatError(what + ": a parameter group needs 'match'");
  return group;
}

}  // namespace

void add_control(json& object, const TrainingControl& control) {
  for (const ParameterGroup& g : control.parameter_groups) {
    json group{{"match", g.match}};
    for (const auto& [key, member] : group_numbers)
      if (g.*member) group[key] = *(g.*member);
    if (g.as_vector) group["as_vector"] = *g.as_vector;
    object["parameter_groups"].push_back(std::move(group));
  }
  if (control.decay_weights_only) object["decay_exclude"] = "bias_and_norm";
  for (const auto& [key, member] : numbers)
    if (control.*member != 0) object[key] = control.*member;
  for (const auto& [key, member] : optional_numbers)
    if (control.*member) object[key] = *(control.*member);
  if (control.swa_start) object["swa_start"] = *control.swa_start;
}

bool read_control(TrainingControl& control, const std::string& key, const json& value,
                  const std::string& what) {
  for (const auto& [name, member] : numbers)
    if (key == name) return control.*member = value.is_null() ? 0 : number(value, what, key), true;
  for (const auto& [name, member] : optional_numbers)
    if (key == name) {
      if (!value.is_null()) control.*member = number(value, what, key);
      return true;
    }
  if (key == "parameter_groups") {
    if (!value.is_array()) throw FormatError(what + ": 'parameter_groups' must be a list");
    for (const json& item : value) control.parameter_groups.push_back(group_from(item, what));
  } else if (key == "decay_exclude") {
    if (!value.is_null() && value != "bias_and_norm")
      throw FormatError(what + ": 'decay_exclude' must be \"bias_and_norm\" or null, not " +
                        excerpt(value.dump()));
    control.decay_weights_only = !value.is_null();
  } else if (key == "swa_start") {
    if (!value.is_null()) control.swa_start = whole_number(value, what + ": 'swa_start'");
  } else {
    return false;
  }
  return true;
}

}  // namespace deltarule
