// Model files: safetensors for the arrays, versioned JSON for the description.
#pragma once

#include <deltarule/trainer.h>

namespace deltarule {

// A file or description that is not what it should be. Nothing was changed.
// Its text quotes the file, but not without end.
struct FormatError : Error {
  explicit FormatError(const std::string& text);
};

inline constexpr int format_version = 1;

std::string to_json(const NetworkSpec& spec);
std::string to_json(const TrainerSpec& spec);
// Throw FormatError for anything that is not understood.
NetworkSpec network_spec_from_json(std::string_view text);
TrainerSpec trainer_spec_from_json(std::string_view text);

template <class T>
struct Model {
  std::unique_ptr<Network<T>> network;
  std::unique_ptr<Trainer<T>> trainer;  // null where the file holds none
  std::string extra;                    // whatever text was saved along
};

// Atomic: `path` is the old file or the whole new one, never a part. Throws std::system_error.
template <class T>
void save(const std::string& path, const Network<T>& network, const Trainer<T>* trainer = nullptr,
          std::string_view extra = {});

// Throws FormatError, std::system_error when the file cannot be read.
template <class T>
Model<T> load_model(const std::string& path);

// "float32" or "float64": what the arrays of this file are.
std::string stored_type(const std::string& path);

// The network alone.
template <class T>
Network<T> load(const std::string& path) {
  return std::move(*load_model<T>(path).network);
}

}  // namespace deltarule
