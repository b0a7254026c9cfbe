// Descriptions as JSON.
#include "specs.h"

#include <deltarule/custom.h>
#include <deltarule/serialize.h>
#include <algorithm>
#include <limits>
#include <set>

namespace deltarule {

using nlohmann::json;

namespace {

// Looks at a text before it is parsed: the parser's own callback takes a time that grows with the square of
// the members of an object.
class Watch final : public json::json_sax_t {
 public:
  explicit Watch(const std::string& what) : what_(what) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    go_down();
    keys_.emplace_back();
    return true;
  }
  bool key(string_t& key) override {
    if (!keys_.back().insert(key).second) throw FormatError(what_ + ": key '" + key + "' stands there twice");
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    go_down();
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

 private:
  void go_down() {
    constexpr int deepest = 64;
    if (++depth_ > deepest) throw FormatError(what_ + ": nested deeper than " + std::to_string(deepest));
  }
  const std::string& what_;
  int depth_ = 0;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

json parse_json(std::string_view text, const std::string& what) {
  if (text.find('\0') != std::string_view::npos)  // where the parser would stop
    throw FormatError(what + ": not valid JSON (it holds a zero byte)");
  Watch watch(what);
  try {
    json::sax_parse(text, &watch);
    return json::parse(text);
  } catch (const json::exception& e) {
    throw FormatError(what + ": not valid JSON (" + excerpt(e.what(), 200) + ")");
  }
}

std::int64_t whole_number(const json& value, const std::string& what) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())))
    throw FormatError(what + " must be a whole number, not " + excerpt(value.dump()));
  return value.get<std::int64_t>();
}

std::uint64_t count_from(const json& value, const std::string& what) {
  if (!value.is_number_unsigned() && !(value.is_number_integer() && value.get<std::int64_t>() >= 0))
    throw FormatError(what + " must be a whole number >= 0, not " + excerpt(value.dump()));
  return value.get<std::uint64_t>();
}

namespace {

// Every access to a description goes through here: what is missing or of the wrong kind has a name.
template <class V>
V get(const json& object, const char* key, const std::string& what) {
  if (!object.is_object() || !object.contains(key)) throw FormatError(what + ": '" + key + "' is missing");
  try {
    return object.at(key).get<V>();
  } catch (const json::exception&) {
    throw FormatError(what + ": '" + key + "' is of the wrong kind: " + excerpt(object.at(key).dump()));
  }
}

Setting setting_from(const std::string& name, const json& value, const std::string& what) {
  if (value.is_boolean()) return {name, value.get<bool>()};
  if (value.is_number()) return {name, value.get<double>()};
  if (value.is_string()) return {name, value.get<std::string>()};
  if (value.is_array() &&
      std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_number(); }))
    return {name, value.get<std::vector<double>>()};
  throw FormatError(what + ": '" + name +
                    "' must be a number, a boolean, a string or a list of numbers, not " +
                    excerpt(value.dump()));
}

json value_of(const Setting& s) {
  if (s.list) return *s.list;
  if (!s.text.empty()) return s.text;
  if (s.value == infinity) return "inf";  // JSON has no other way
  return s.value;
}

// Numbers and booleans as the entry declares them, so that a description reads like Python.
json settings_json(const std::vector<Setting>& settings, const Entry* entry) {
  json object = json::object();
  for (const Setting& s : settings) {
    object[s.name] = value_of(s);
    if (!entry) continue;
    for (const Param& p : entry->parameters)
      if (p.name == s.name) {
        if (p.kind == Kind::boolean) object[s.name] = s.value != 0;
        if (p.kind == Kind::integer) object[s.name] = static_cast<std::int64_t>(s.value);
        if (p.kind == Kind::integer_list && s.list)
          object[s.name] = std::vector<std::int64_t>(s.list->begin(), s.list->end());
      }
  }
  return object;
}

const Entry* entry_of(Family family, const std::string& name) {
  for (const Family f : {family, Family::row_op})
    for (const Entry* e : catalog::entries(f))
      if (e->name == name) return e;
  const int registered = custom::find(family, name);
  return registered < 0 ? nullptr : &custom::entry(family, registered);
}

bool has_part(const Entry* entry, const std::string& name) {
  return entry &&
         std::any_of(entry->parts.begin(), entry->parts.end(), [&](const Part& p) { return p.name == name; });
}

json spec_json(const Spec& spec, Family family) {
  json object = settings_json(spec.settings, entry_of(family, spec.name));
  object["name"] = spec.name;
  return object;
}

}  // namespace

Spec spec_from(const json& value, const std::string& what) {
  if (value.is_string()) return {value.get<std::string>(), {}};
  if (value.is_null()) return {};
  if (!value.is_object())
    throw FormatError(what + " must be an object with a name, not " + excerpt(value.dump()));
  Spec spec{get<std::string>(value, "name", what), {}};
  for (const auto& [key, item] : value.items())
    if (key != "name") spec.settings.push_back(setting_from(key, item, what));
  return spec;
}

namespace {

json chain_json(const std::vector<LayerSpec>& chain);

json layer_json(const LayerSpec& l) {
  const Entry* entry = entry_of(Family::layer, l.type);
  json layer = settings_json(l.settings, entry);
  layer["type"] = l.type;
  if (!l.name.empty()) layer["name"] = l.name;
  for (const auto& [name, part] : l.parts)
    layer[name] = spec_json(part, name == "activation" ? Family::activation : Family::initializer);
  if (!entry || entry->inner.kind == Inside::nothing || l.inside.empty()) return layer;
  json& inner = layer[std::string(entry->inner.name)];
  if (entry->inner.kind == Inside::layer) {
    inner = layer_json(l.inside.at(0).at(0));
  } else if (entry->inner.kind == Inside::layers) {
    inner = chain_json(l.inside[0]);
  } else {
    inner = json::array();
    for (const auto& chain : l.inside) inner.push_back(chain_json(chain));
  }
  return layer;
}

json chain_json(const std::vector<LayerSpec>& chain) {
  json list = json::array();
  for (const LayerSpec& l : chain) list.push_back(layer_json(l));
  return list;
}

std::vector<LayerSpec> chain_from(const json& list, const std::string& what);

LayerSpec layer_from(const json& item, const std::string& what) {
  LayerSpec layer{get<std::string>(item, "type", what + ", layer"), {}, {}, {}, {}};
  const std::string where = what + ", layer '" + layer.type + "'";
  const Entry* entry = entry_of(Family::layer, layer.type);
  const Inner inner = entry ? entry->inner : Inner{};
  for (const auto& [key, value] : item.items()) {
    const std::string place = where + ", " + key;
    if (key == "type") continue;
    if (key == "name") {
      layer.name = value.is_null() ? std::string{} : get<std::string>(item, "name", where);
    } else if (inner.kind != Inside::nothing && key == inner.name) {
      if (inner.kind == Inside::layer)
        layer.inside = {{layer_from(value, place)}};
      else if (inner.kind == Inside::layers)
        layer.inside = {chain_from(value, place)};
      else if (!value.is_array())
        throw FormatError(place + " must be a list of lists of layers");
      else
        for (const json& chain : value) layer.inside.push_back(chain_from(chain, place));
    } else if (has_part(entry, key) || value.is_object()) {
      layer.parts[key] = spec_from(value, place);
    } else {
      layer.settings.push_back(setting_from(key, value, where));
    }
  }
  return layer;
}

std::vector<LayerSpec> chain_from(const json& list, const std::string& what) {
  if (!list.is_array()) throw FormatError(what + " must be a list of layers");
  std::vector<LayerSpec> chain;
  for (const json& item : list) chain.push_back(layer_from(item, what));
  return chain;
}

}  // namespace

json to_object(const NetworkSpec& spec) {
  json object{{"version", format_version}, {"seed", spec.seed}, {"layers", chain_json(spec.layers)}};
  if (spec.input_width > 0) object["input_width"] = spec.input_width;
  return object;
}

NetworkSpec network_spec_from(const json& object) {
  const std::string what = "network description";
  if (!object.is_object()) throw FormatError(what + " must be an object");
  if (object.contains("version") && object["version"] != format_version)
    throw FormatError(what + ": version " + excerpt(object["version"].dump()) +
                      " is not known; this library reads version " + std::to_string(format_version));
  NetworkSpec spec;
  for (const auto& [key, value] : object.items())
    if (key != "version" && key != "seed" && key != "layers" && key != "input_width")
      throw FormatError(what + ": unknown key '" + excerpt(key) + "'");
  if (object.contains("seed")) spec.seed = count_from(object["seed"], what + ": 'seed'");
  if (object.contains("input_width"))
    spec.input_width = whole_number(object["input_width"], what + ": 'input_width'");
  const json layers = get<json>(object, "layers", what);
  if (!layers.is_array()) throw FormatError(what + ": 'layers' must be a list");
  spec.layers = chain_from(layers, what);
  return spec;
}

json to_object(const TrainerSpec& spec) {
  json object{{"loss", spec_json(spec.loss, Family::loss)},
              {"optimizer", spec_json(spec.optimizer, Family::optimizer)},
              {"schedule", json::array()},
              {"metrics", json::array()},
              {"clip_norm", nullptr},
              {"clip_value", nullptr},
              {"seed", spec.seed}};
  for (const Spec& s : spec.schedule) object["schedule"].push_back(spec_json(s, Family::schedule));
  for (const Spec& s : spec.metrics) object["metrics"].push_back(spec_json(s, Family::metric));
  if (spec.clip_norm) object["clip_norm"] = *spec.clip_norm;
  if (spec.clip_value) object["clip_value"] = *spec.clip_value;
  add_control(object, spec.control);
  return object;
}

TrainerSpec trainer_spec_from(const json& object) {
  const std::string what = "trainer description";
  if (!object.is_object()) throw FormatError(what + " must be an object");
  TrainerSpec spec;
  for (const auto& [key, value] : object.items()) {
    if (key == "loss")
      spec.loss = spec_from(value, what + ", loss");
    else if (key == "optimizer")
      spec.optimizer = spec_from(value, what + ", optimizer");
    else if (key == "schedule" || key == "metrics") {
      if (!value.is_array()) throw FormatError(what + ": '" + key + "' must be a list");
      for (const json& item : value)
        (key == "schedule" ? spec.schedule : spec.metrics).push_back(spec_from(item, what + ", " + key));
    } else if (key == "clip_norm" || key == "clip_value") {
      if (!value.is_null())
        (key == "clip_norm" ? spec.clip_norm : spec.clip_value) = get<double>(object, key.c_str(), what);
    } else if (key == "seed") {
      spec.seed = count_from(value, what + ": 'seed'");
    } else if (!read_control(spec.control, key, value, what)) {
      throw FormatError(what + ": unknown key '" + excerpt(key) + "'");
    }
  }
  if (spec.loss.name.empty()) throw FormatError(what + ": the loss is missing");
  return spec;
}

std::string text_of(const json& object, const std::string& what) {
  try {
    return object.dump();
  } catch (const json::exception& e) {
    throw std::invalid_argument(what + ": a text is not valid UTF-8 (" + excerpt(e.what(), 200) + ")");
  }
}

std::string to_json(const NetworkSpec& spec) { return text_of(to_object(spec), "network description"); }
std::string to_json(const TrainerSpec& spec) { return text_of(to_object(spec), "trainer description"); }
NetworkSpec network_spec_from_json(std::string_view text) {
  return network_spec_from(parse_json(text, "network description"));
}
TrainerSpec trainer_spec_from_json(std::string_view text) {
  return trainer_spec_from(parse_json(text, "trainer description"));
}

}  // namespace deltarule
