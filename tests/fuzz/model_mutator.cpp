// Changes model files as a mischievous author would: the descriptions are changed as trees, with names and
// ranges from the catalogue, and mostly the arrays are then written as the new description asks, so that what
// lies behind the first checks is reached.
#include <deltarule/catalog.h>
#include <deltarule/serialize.h>
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size, std::size_t most);

namespace {

using namespace deltarule;
using nlohmann::json;

constexpr const char *network_key = "deltarule.network", *trainer_key = "deltarule.trainer";

struct Random {
  std::minstd_rand engine;
  std::size_t below(std::size_t n) { return n < 2 ? 0 : static_cast<std::size_t>(engine() >> 4) % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
};

std::string changed_bytes(std::string text, std::size_t longer) {
  const std::size_t size = text.size();
  text.resize(size + longer);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  return text;
}

const Entry& any_entry(Family family, Random& random) {
  const auto entries = catalog::entries(family);
  return *entries[random.below(entries.size())];
}

std::string any_name(Random& random) {
  const auto families = catalog::families();
  return std::string(any_entry(families[random.below(families.size())], random).name);
}

json any_number(Random& random) {
  static const json numbers[] = {0,     1,      2,          3,           4,     5,     8,
                                 -1,    64,     0.5,        0.9,         1.0,   -0.0,  1e-3,
                                 1e308, 1e-320, 2147483647, 2147483648u, -1e18, 65536, 1e9,
                                 1e19,  4096,   16777217u,  -2147483649};
  static const json extremes[] = {9007199254740993u, 9223372036854775807u, 18446744073709551615u, "inf"};
  return random.one_in(6) ? extremes[random.below(std::size(extremes))]
                          : numbers[random.below(std::size(numbers))];
}

json value_for(const Param& p, Random& random) {
  if (random.one_in(8)) return any_number(random);
  if (p.kind == Kind::boolean) return random.one_in(2);
  if (p.kind == Kind::choice) {
    std::vector<std::string> choices{""};
    for (const char c : p.choices)
      if (c == '|')
        choices.emplace_back();
      else
        choices.back().push_back(c);
    return choices[random.below(choices.size())];
  }
  const auto one = [&]() -> json {
    if (random.one_in(3)) return any_number(random);
    const double low = std::max(p.low, -4.0), high = std::min(p.high, low + 6);
    const double value = low + (high - low) * static_cast<double>(random.below(9)) / 8;
    if (p.kind == Kind::integer || p.kind == Kind::integer_list) return static_cast<int>(value);
    return value;
  };
  if (!is_list(p.kind)) return one();
  json list = json::array();
  for (std::size_t n = random.below(5); n > 0; --n) list.push_back(one());
  return list;
}

// A thing of this family with some of its settings.
json any_spec(Family family, const char* key, Random& random, int depth = 0);

json any_layer(Random& random, int depth) {
  json layer = any_spec(Family::layer, "type", random, depth);
  return layer;
}

json any_spec(Family family, const char* key, Random& random, int depth) {
  const Entry& entry = any_entry(family, random);
  json object{{key, std::string(entry.name)}};
  for (const Param& p : entry.parameters)
    if (random.one_in(2)) object[std::string(p.name)] = value_for(p, random);
  for (const Part& p : entry.parts)
    if (random.one_in(3)) object[std::string(p.name)] = any_spec(p.family, "name", random, depth);
  if (entry.inner.kind != Inside::nothing && depth < 3) {
    json& inner = object[std::string(entry.inner.name)];
    const auto chain = [&] {
      json list = json::array();
      for (std::size_t n = random.below(3); n > 0; --n) list.push_back(any_layer(random, depth + 1));
      return list;
    };
    if (entry.inner.kind == Inside::layer)
      inner = any_layer(random, depth + 1);
    else if (entry.inner.kind == Inside::layers)
      inner = chain();
    else
      inner = json::array({chain(), chain()});
  }
  return object;
}

void all_nodes(json& node, std::vector<json*>& found) {
  found.push_back(&node);
  if (node.is_structured())
    for (json& item : node) all_nodes(item, found);
}

json any_value(Random& random, const std::vector<json*>& nodes) {
  switch (random.below(9)) {
    case 0:
      return nullptr;
    case 1:
      return random.one_in(2);
    case 2:
      return any_name(random);
    case 3:
      return random.one_in(2) ? json::array() : json::object();
    case 4:
      return random.one_in(2) ? any_layer(random, 0) : any_spec(Family::activation, "name", random);
    case 5:
      return *nodes[random.below(nodes.size())];
    default:
      return any_number(random);
  }
}

void change_tree(json& tree, Random& random) {
  std::vector<json*> nodes;
  all_nodes(tree, nodes);
  json& node = *nodes[random.below(nodes.size())];
  const json value = any_value(random, nodes);  // a copy: it may hold the node
  if (node.is_array() && !random.one_in(6)) {
    const std::size_t at = random.below(node.size() + 1), size = node.size();
    if (size > 0 && random.one_in(3))
      node.erase(random.below(size));
    else if (size > 1 && random.one_in(3))
      std::swap(node[0], node[random.below(size)]);
    else
      node.insert(node.begin() + static_cast<std::ptrdiff_t>(at), value);
  } else if (node.is_object() && !random.one_in(6)) {
    const std::string type = node.contains("type") ? node.value("type", json()).dump() : std::string();
    if (!node.empty() && random.one_in(3)) {
      auto at = node.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random.below(node.size())));
      node.erase(at);
    } else if (node.contains("type") && random.one_in(2)) {
      node = any_layer(random, 0);
    } else if (!node.empty()) {
      auto at = node.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random.below(node.size())));
      *at = value;
    }
  } else {
    node = value;
  }
}

void change_network(json& network, Random& random) {
  if (network.is_object() && network.contains("layers") && network["layers"].is_array() && random.one_in(2)) {
    json& layers = network["layers"];
    json layer = any_layer(random, 0);
    if (layers.size() > 4 || (!layers.empty() && random.one_in(3)))
      layers[random.below(layers.size())] = std::move(layer);
    else
      layers.insert(layers.begin() + static_cast<std::ptrdiff_t>(random.below(layers.size() + 1)),
                    std::move(layer));
    return;
  }
  change_tree(network, random);
}

void change_trainer(json& trainer, Random& random) {
  if (!trainer.is_object() || random.one_in(3)) return change_tree(trainer, random);
  static const char* control[] = {"l1",
                                  "l2",
                                  "mixup",
                                  "max_norm",
                                  "ema_decay",
                                  "dp_clip_norm",
                                  "dp_noise_multiplier",
                                  "swa_start",
                                  "decay_exclude",
                                  "clip_norm",
                                  "clip_value",
                                  "averaged",
                                  "steps_done",
                                  "seed"};
  switch (random.below(6)) {
    case 0:
      trainer["loss"] = any_spec(Family::loss, "name", random);
      break;
    case 1:
      trainer["schedule"] = json::array({any_spec(Family::schedule, "name", random)});
      break;
    case 2:
      trainer["metrics"] = json::array({any_spec(Family::metric, "name", random)});
      break;
    case 3:
      trainer[control[random.below(std::size(control))]] = any_number(random);
      break;
    case 4:
      trainer["parameter_groups"] = {{{"match", "*"}, {"learning_rate_factor", any_number(random)}}};
      break;
    default:
      trainer["optimizer"] = any_spec(Family::optimizer, "name", random);
  }
}

// Writes the arrays as the descriptions ask for them; nothing changes where they ask for nonsense.
void arrange(json& header, std::string& data, const json& network, const json& trainer) {
  constexpr std::ptrdiff_t most = 1 << 14;
  try {
    const bool wide = header.dump().find("\"F64\"") != std::string::npos;
    auto built = Network<float>::for_loading(network_spec_from_json(network.dump()), most);
    if (!built.built()) return;
    json arrays{{"__metadata__", header["__metadata__"]}};
    std::uint64_t at = 0;
    const auto add = [&](const std::string& name, const json& shape, std::uint64_t count) {
      const std::uint64_t bytes = count * (wide ? 8 : 4);
      arrays[name] = {{"dtype", wide ? "F64" : "F32"}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
      at += bytes;
    };
    std::unique_ptr<Trainer<float>> with;
    if (trainer.is_object()) {
      json plain = trainer;
      for (const char* key : {"steps_done", "averaged"}) plain.erase(key);
      const TrainerSpec spec = trainer_spec_from_json(plain.dump());
      if (Trainer<float>::state_size(built, spec.optimizer) > static_cast<double>(most)) return;
      with = std::make_unique<Trainer<float>>(built, spec);
    }
    for (const Tensor& t : built.tensors()) {
      const json shape = t.vector ? json{t.columns} : json{t.rows, t.columns};
      add(t.name, shape, static_cast<std::uint64_t>(t.size()));
      for (int i = 0; with && t.trained() && i < with->state_count(); ++i)
        add("optimizer." + t.name + "." + with->state_name(i), shape, static_cast<std::uint64_t>(t.size()));
    }
    if (with)
      for (const auto& s : with->layer_states()) add("optimizer." + s.name, s.shape, s.data.size());
    header = std::move(arrays);
    data.resize(at);
  } catch (const std::exception&) {
  }
}

json parsed(const json& metadata, const char* key) {
  if (!metadata.contains(key) || !metadata[key].is_string()) return json(json::value_t::discarded);
  return json::parse(metadata[key].get_ref<const std::string&>(), nullptr, false);
}

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string changed(const std::string& file, std::size_t longer, Random& random) {
  std::uint64_t length = 0;
  if (file.size() < 8 || random.one_in(16)) return changed_bytes(file, longer);
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > file.size() - 8) return changed_bytes(file, longer);
  std::string text = file.substr(8, length), data = file.substr(8 + length);
  const auto joined = [&](const std::string& header) {
    const std::uint64_t size = header.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
  };
  if (random.one_in(12)) return joined(changed_bytes(text, longer));
  if (random.one_in(12)) {
    data = changed_bytes(data, longer);
    return joined(text);
  }
  json header = json::parse(text, nullptr, false);
  if (!header.is_object() || !header.contains("__metadata__") || !header["__metadata__"].is_object())
    return joined(changed_bytes(text, longer));
  json& metadata = header["__metadata__"];
  if (random.one_in(12)) {
    change_tree(header, random);
    return joined(text_of(header));
  }
  if (!metadata.empty() && random.one_in(12)) {  // twice the same key, or a text that only looks like JSON
    auto chosen = metadata.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(metadata.size())));
    if (chosen->is_string()) {
      std::string inner = chosen->get<std::string>();
      if (const auto brace = inner.find('{', random.below(inner.size() + 1));
          brace != std::string::npos && random.one_in(2))
        inner.insert(brace + 1, "\"type\":\"dense\",\"units\":4,\"name\":\"relu\",");
      else
        inner = changed_bytes(inner, longer);
      *chosen = inner;
    }
    return joined(text_of(header));
  }
  json network = parsed(metadata, network_key), trainer = parsed(metadata, trainer_key);
  for (std::size_t n = 1 + random.below(3); n > 0; --n) {
    if (!network.is_discarded() && (trainer.is_discarded() || random.one_in(2)))
      change_network(network, random);
    else if (!trainer.is_discarded())
      change_trainer(trainer, random);
  }
  if (!network.is_discarded()) metadata[network_key] = text_of(network);
  if (!trainer.is_discarded()) metadata[trainer_key] = text_of(trainer);
  if (!random.one_in(6)) arrange(header, data, network, trainer);
  return joined(text_of(header));
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size, std::size_t most,
                                               unsigned int seed) {
  Random random{std::minstd_rand(seed)};
  const std::string old(reinterpret_cast<const char*>(bytes), size);
  const std::string fresh = changed(old, std::min<std::size_t>(64, most > size ? most - size : 0), random);
  if (fresh.size() > most) return LLVMFuzzerMutate(bytes, size, most);
  std::memcpy(bytes, fresh.data(), fresh.size());
  return fresh.size();
}
