// Fuzz target: any bytes as a model file. FormatError is the only way out but success; what loads must be
// usable and come back from its own file as it was.
#include <deltarule/serialize.h>
#include <deltarule/session.h>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "scratch_file.h"

namespace {

using namespace deltarule;

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// Widths need no weights: a file of 300 bytes may ask for more than there is memory for rows.
constexpr std::ptrdiff_t widest = 512;

template <class T>
void use(const Model<T>& model) {
  const Network<T>& network = *model.network;
  for (const T x : network.parameters())
    demand(std::isfinite(x), "a parameter that is not finite was loaded");
  for (const T x : network.statistics())
    demand(std::isfinite(x), "a statistic that is not finite was loaded");
  const std::string spec = to_json(network.spec());
  demand(to_json(network_spec_from_json(spec)) == spec, "a description does not come back");
  if (model.trainer) {
    const std::string trained = to_json(model.trainer->spec());
    demand(to_json(trainer_spec_from_json(trained)) == trained, "a trainer's description does not come back");
  }

  const auto narrow = [](const auto& self, const auto& chain) -> bool {
    for (const auto& layer : chain) {
      if (layer->input_width() > widest || layer->output_width() > widest) return false;
      for (const auto& inner : layer->inside())
        if (!self(self, inner)) return false;
    }
    return true;
  };
  if (narrow(narrow, network.layers())) {
    Session<T> session(network, 2);
    const std::vector<T> in(static_cast<std::size_t>(2 * network.input_width()), T(0));
    std::vector<T> out(static_cast<std::size_t>(2 * network.output_width()));
    session.run(in.data(), out.data(), 2);
  }

  // One in eight, since it takes longer than all the rest.
  if (spec.size() % 8 != 0) return;
  static fuzz::ScratchFile again;
  save(again.path(), network, model.trainer.get(), model.extra);
  const Model<T> twin = load_model<T>(again.path());
  demand(same_bits<T>(twin.network->parameters(), network.parameters()), "parameters do not come back");
  demand(same_bits<T>(twin.network->statistics(), network.statistics()), "statistics do not come back");
  demand(twin.extra == model.extra, "the text saved along does not come back");
  demand(!twin.trainer == !model.trainer, "the trainer does not come back");
}

template <class T>
bool loads(const std::string& path) {
  try {
    use(load_model<T>(path));
    return true;
  } catch (const FormatError& e) {
    const std::string text = e.what();
    demand(text.find(path) != std::string::npos, "an error does not name the file");
    nlohmann::json(text).dump();  // throws where it is not UTF-8
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static fuzz::ScratchFile file;
  file.write(bytes, size);
  std::string type;
  try {
    type = stored_type(file.path());
  } catch (const FormatError&) {
  }
  // What stored_type refuses, loading has to refuse as well, of either type.
  if (type.empty()) {
    demand(!loads<float>(file.path()) && !loads<double>(file.path()), "a file of no known type was loaded");
    return 0;
  }
  type == "float32" ? loads<float>(file.path()) : loads<double>(file.path());
  return 0;
}
