// Descriptions as JSON values; internal, so that users need no JSON header.
#pragma once

#include <deltarule/trainer.h>
#include <nlohmann/json.hpp>

#include "message_text.h"

namespace deltarule {

// Refuses duplicate keys and deep nesting; `what` names the text in errors.
nlohmann::json parse_json(std::string_view text, const std::string& what);
// What JSON's own conversion would take from 1.5, 1e30, -1 or true is not meant: FormatError instead.
std::int64_t whole_number(const nlohmann::json& value, const std::string& what);
std::uint64_t count_from(const nlohmann::json& value, const std::string& what);
Spec spec_from(const nlohmann::json& value, const std::string& what);
// Throws std::invalid_argument where a text is not UTF-8.
std::string text_of(const nlohmann::json& object, const std::string& what);
nlohmann::json to_object(const NetworkSpec& spec);
nlohmann::json to_object(const TrainerSpec& spec);
// Part of the trainer's description; read_control is false for a key that is not its own.
void add_control(nlohmann::json& object, const TrainingControl& control);
bool read_control(TrainingControl& control, const std::string& key, const nlohmann::json& value,
                  const std::string& what);
NetworkSpec network_spec_from(const nlohmann::json& object);
TrainerSpec trainer_spec_from(const nlohmann::json& object);

}  // namespace deltarule
