#include <deltarule/elementwise.h>
#include <deltarule/serialize.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <system_error>

#include "atomic_file.h"
#include "specs.h"

namespace deltarule {

static_assert(std::endian::native == std::endian::little, "model files are little-endian");

using nlohmann::json;

namespace {

constexpr std::uint64_t largest_header = 64u << 20;

template <class T>
constexpr const char* type_name = sizeof(T) == 4 ? "F32" : "F64";

struct Header {
  json object;
  std::uint64_t data_begin = 0, data_size = 0;
};

Header read_header(File& file, const std::string& path) {
  const std::string what = "model file '" + path + "'";
  const std::uint64_t size = file.size();
  if (size < 8)
    throw FormatError(what + ": too short to be a safetensors file (" + std::to_string(size) + " bytes)");
  std::uint64_t length = 0;
  file.read(0, &length, sizeof(length));
  if (length > size - 8 || length > largest_header)
    throw FormatError(what + ": not a safetensors file, or cut off: the header claims " +
                      std::to_string(length) + " bytes of " + std::to_string(size));
  std::string text(static_cast<std::size_t>(length), '\0');
  file.read(8, text.data(), text.size());
  Header header{parse_json(text, what), 8 + length, size - 8 - length};
  if (!header.object.is_object()) throw FormatError(what + ": the header is not an object");
  if (const auto meta = header.object.find("__metadata__"); meta != header.object.end())
    for (const auto& [key, value] : meta->items())
      if (!value.is_string()) throw FormatError(what + ": '" + excerpt(key) + "' in its metadata is no text");
  return header;
}

std::string metadata(const json& header, const char* key, const std::string& what) {
  const auto meta = header.find("__metadata__");
  if (meta == header.end() || !meta->is_object() || !meta->contains(key) || !meta->at(key).is_string())
    throw FormatError(what + ": '" + key + "' is missing; the file was not written by deltarule");
  return meta->at(key).get<std::string>();
}

struct Place {
  std::uint64_t begin, end;
};

// Where an array lies; checked against the type, the shape and the file.
template <class T>
Place place_of(const Header& header, const std::string& name, std::span<const std::ptrdiff_t> shape,
               const std::string& what) {
  const auto found = header.object.find(name);
  if (found == header.object.end()) throw FormatError(what + ": array '" + name + "' is missing");
  try {
    const json& a = *found;
    if (a.at("dtype").get<std::string>() != type_name<T>)
      throw FormatError(what + ": array '" + name + "' is " + a.at("dtype").get<std::string>() +
                        ", expected " + type_name<T>);
    std::vector<std::int64_t> given;
    for (const json& n : a.at("shape"))
      given.push_back(whole_number(n, what + ": a length of '" + name + "'"));
    if (!std::equal(given.begin(), given.end(), shape.begin(), shape.end()))
      throw FormatError(what + ": array '" + name + "' has shape " + excerpt(a.at("shape").dump()) +
                        ", expected " + json(std::vector<std::int64_t>(shape.begin(), shape.end())).dump());
    std::vector<std::uint64_t> offsets;
    for (const json& n : a.at("data_offsets"))
      offsets.push_back(count_from(n, what + ": an offset of '" + name + "'"));
    std::uint64_t count = sizeof(T);
    for (const auto n : shape) count *= static_cast<std::uint64_t>(n);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > header.data_size ||
        offsets[1] - offsets[0] != count)
      throw FormatError(what + ": array '" + name + "' does not lie within the file as its shape says");
    return {offsets[0], offsets[1]};
  } catch (const json::exception&) {
    throw FormatError(what + ": array '" + name + "' is not described as safetensors does");
  }
}

// One array of the model with its place in memory.
template <class T>
struct Item {
  std::string name;
  std::vector<std::ptrdiff_t> shape;
  std::span<T> data;
  Allowed allowed = Allowed::any;
  std::string complaint() const { return deltarule::complaint(allowed, std::span<const T>(data)); }
};

template <class T, class N, class R>
std::vector<Item<T>> items(N& network, R* trainer) {
  std::vector<Item<T>> list;
  for (const Tensor& t : network.tensors()) {
    const std::vector<std::ptrdiff_t> shape = t.shape();
    const auto offset = static_cast<std::size_t>(t.offset), size = static_cast<std::size_t>(t.size());
    list.push_back({t.name, shape,
                    (t.trained() ? network.parameters() : network.statistics()).subspan(offset, size),
                    t.allowed});
    if (trainer && t.trained())
      for (int i = 0; i < trainer->state_count(); ++i)
        list.push_back({"optimizer." + t.name + "." + trainer->state_name(i), shape,
                        trainer->state(i).subspan(offset, size)});
  }
  if (trainer)
    for (auto& s : trainer->layer_states()) list.push_back({"optimizer." + s.name, s.shape, s.data.span()});
  return list;
}

}  // namespace

template <class T>
void save(const std::string& path, const Network<T>& network, const Trainer<T>* trainer,
          std::string_view extra) {
  if (!network.built()) throw std::invalid_argument("save: the network is not built yet");
  if (trainer && &trainer->network() != &network)
    throw std::invalid_argument(
        "save: the trainer is one of another network; allowed: the one that trains this network");
  json header, meta{{"format", "deltarule"},
                    {"deltarule.version", std::to_string(format_version)},
                    {"deltarule.network", to_json(network.spec())}};
  if (!extra.empty()) meta["deltarule.extra"] = std::string(extra);
  if (trainer) {
    json t = to_object(trainer->spec());
    t["steps_done"] = trainer->steps_done();
    if (trainer->averaged() > 0) t["averaged"] = trainer->averaged();
    meta["deltarule.trainer"] = text_of(t, "save");
  }
  header["__metadata__"] = std::move(meta);
  const auto list = items<const T>(network, trainer);
  for (const auto& item : list)
    if (const std::string wrong = item.complaint(); !wrong.empty())
      throw std::invalid_argument("save: array '" + item.name + "' " + wrong +
                                  ", which no load would accept; nothing is written");
  if (list.empty()) header["__metadata__"]["deltarule.dtype"] = sizeof(T) == 4 ? "float32" : "float64";
  std::uint64_t at = 0;
  for (const auto& item : list) {
    const std::uint64_t bytes = item.data.size() * sizeof(T);
    header[item.name] = {{"dtype", type_name<T>}, {"shape", item.shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = text_of(header, "save");
  text.append((8 - text.size() % 8) % 8, ' ');  // keeps the arrays aligned
  if (text.size() > largest_header)
    throw std::invalid_argument("save: the description has " + std::to_string(text.size()) +
                                " bytes with its texts, which no load would accept; allowed: at most " +
                                std::to_string(largest_header) + "; nothing is written");
  AtomicFile file(path);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto& item : list) file.write(item.data.data(), item.data.size() * sizeof(T));
  file.commit();
}

std::string stored_type(const std::string& path) {
  File file(path);
  const Header header = read_header(file, path);
  metadata(header.object, "deltarule.network", "model file '" + path + "'");
  for (const auto& [name, value] : header.object.items()) {
    if (name == "__metadata__" || !value.is_object() || !value.contains("dtype")) continue;
    if (value["dtype"] == "F32") return "float32";
    if (value["dtype"] == "F64") return "float64";
    throw FormatError("model file '" + path + "': arrays of type " + excerpt(value["dtype"].dump()) +
                      " are not known; known: F32, F64");
  }
  // Nothing to learn, nothing to tell the type by.
  const json& meta = header.object["__metadata__"];
  if (!meta.contains("deltarule.dtype")) return "float32";
  for (const char* known : {"float32", "float64"})
    if (meta["deltarule.dtype"] == known) return known;
  throw FormatError("model file '" + path + "': 'deltarule.dtype' is not known; known: float32, float64");
}

template <class T>
Model<T> load_model(const std::string& path) {
  const std::string what = "model file '" + path + "'";
  File file(path);
  const Header header = read_header(file, path);
  const std::string version = metadata(header.object, "deltarule.version", what);
  if (version != std::to_string(format_version))
    throw FormatError(what + ": format version " + excerpt(version) +
                      " is not known; this library reads version " + std::to_string(format_version));
  for (const auto& [name, array] : header.object.items())
    if (const auto type = array.find("dtype"); name != "__metadata__" && type != array.end() &&
                                               type->is_string() && (*type == "F32" || *type == "F64") &&
                                               *type != type_name<T>)
      throw FormatError(what + ": array '" + excerpt(name, 200) + "' is " +
                        type->template get<std::string>() + ", expected " + type_name<T> +
                        "; stored_type() says which type to load");
  Model<T> model;
  try {
    const NetworkSpec spec = network_spec_from_json(metadata(header.object, "deltarule.network", what));
    const auto most = static_cast<std::ptrdiff_t>(header.data_size / sizeof(T));
    model.network = std::make_unique<Network<T>>(Network<T>::for_loading(spec, most));
    if (!model.network->built()) throw FormatError(what + ": the network has no input width");
    const json& meta = header.object.at("__metadata__");
    if (meta.contains("deltarule.extra")) model.extra = metadata(header.object, "deltarule.extra", what);
    if (meta.contains("deltarule.trainer")) {
      json t = parse_json(metadata(header.object, "deltarule.trainer", what), what);
      if (!t.is_object() || !t.contains("steps_done")) throw FormatError(what + ": 'steps_done' is missing");
      const auto taken = [&](const char* key) -> std::int64_t {
        if (!t.contains(key)) return 0;
        const std::uint64_t number = count_from(t[key], what + ": '" + key + "'");
        if (number > static_cast<std::uint64_t>(largest_whole))
          throw FormatError(what + ": '" + key + "' = " + std::to_string(number) + " is too large");
        t.erase(key);
        return static_cast<std::int64_t>(number);
      };
      const std::int64_t steps = taken("steps_done"), averaged = taken("averaged");
      const TrainerSpec trainer_spec = trainer_spec_from(t);
      if (Trainer<T>::state_size(*model.network, trainer_spec.optimizer) > static_cast<double>(most))
        throw FormatError(what + ": cut off: the optimizer's state is larger than the file");
      model.trainer = std::make_unique<Trainer<T>>(*model.network, trainer_spec);
      model.trainer->set_steps_done(steps);
      model.trainer->set_averaged(averaged);
    }
  } catch (const FormatError& e) {
    if (std::string_view(e.what()).starts_with(what)) throw;
    throw FormatError(what + ": " + e.what());
  } catch (const std::invalid_argument& e) {
    throw FormatError(what + ": " + e.what());
  } catch (const std::length_error& e) {
    throw FormatError(what + ": cut off, or not what it describes: " + e.what());
  }
  const auto list = items<T>(*model.network, model.trainer.get());
  if (list.size() + 1 != header.object.size())
    throw FormatError(what + ": holds " + std::to_string(header.object.size() - 1) +
                      " arrays, its description asks for " + std::to_string(list.size()));
  std::vector<Place> places;
  for (const auto& item : list) places.push_back(place_of<T>(header, item.name, item.shape, what));
  // Back to back from the first to the last byte, as the format demands: no holes, no overlap, nothing
  // behind.
  std::vector<Place> sorted = places;
  std::ranges::sort(sorted, {}, [](const Place& p) { return std::pair(p.begin, p.end); });
  std::uint64_t at = 0;
  for (const Place& p : sorted) {
    if (p.begin != at)
      throw FormatError(what + ": its arrays overlap or leave a hole at byte " + std::to_string(at));
    at = p.end;
  }
  if (at != header.data_size)
    throw FormatError(what + ": " + std::to_string(header.data_size - at) + " bytes behind the last array");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto& item = list[i];
    const Place& place = places[i];
    file.read(header.data_begin + place.begin, item.data.data(), item.data.size() * sizeof(T));
    if (const std::string wrong = item.complaint(); !wrong.empty())
      throw FormatError(what + ": array '" + item.name + "' " + wrong);
  }
  return model;
}

template void save(const std::string&, const Network<float>&, const Trainer<float>*, std::string_view);
template void save(const std::string&, const Network<double>&, const Trainer<double>*, std::string_view);
template Model<float> load_model(const std::string&);
template Model<double> load_model(const std::string&);

}  // namespace deltarule
