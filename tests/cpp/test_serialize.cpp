// Model files: round trips, resumed training, and every kind of broken file.
#include "support.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <system_error>

using namespace support;

namespace {

// A file in the temporary folder, gone at the end.
struct Path {
  std::string name;
  Path() {
    static int count = 0;
    name = (std::filesystem::temp_directory_path() /
            ("deltarule_test_" + std::to_string(++count) + "_" +
             std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".safetensors"))
               .string();
  }
  ~Path() { std::filesystem::remove(name); }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;
  std::string read() const {
    std::ifstream file(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(name, std::ios::binary) << bytes; }
};

std::string file_of(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i)
    length[static_cast<std::size_t>(i)] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return length + header + data;
}

struct Parts {
  std::string header, data;
  explicit Parts(const std::string& bytes) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    header = bytes.substr(8, length);
    data = bytes.substr(8 + length);
  }
  // The file with one text of the header replaced by another.
  std::string with(const std::string& old, const std::string& fresh) const {
    const auto at = header.find(old);
    REQUIRE_MESSAGE(at != std::string::npos, old, " is not in ", header);
    return file_of(std::string(header).replace(at, old.size(), fresh), data);
  }
};

template <class T>
void train(Trainer<T>& trainer, const Data<T>& data, int from, int to) {
  for (int epoch = from; epoch < to; ++epoch) trainer.run_epoch(data, {.epoch = epoch, .batch_size = 32});
}

// A small model with optimizer state, as bytes.
std::string model_bytes() {
  Network<float> network({3, {dense(4, "relu"), layer("batch_norm"), dense(2)}, 3});
  Trainer<float> trainer(network, {.loss = {"sparse_softmax_cross_entropy", {}}, .optimizer = {"adam", {}}});
  const Classes<float> classes(64, 3, 2);
  train(trainer, classes.data, 0, 1);
  const Path path;
  save(path.name, network, &trainer, "{\"note\": 1}");
  return path.read();
}

// What loading these bytes says; FormatError is the only exception allowed.
std::string refusal(const std::string& bytes) {
  const Path path;
  path.write(bytes);
  try {
    load_model<float>(path.name);
  } catch (const FormatError& e) {
    const std::string text = e.what();
    CHECK_MESSAGE(text.find(path.name) != std::string::npos, "does not name the file: ", text);
    return text;
  }
  return "loaded";
}

}  // namespace

TEST_CASE_TEMPLATE("a model comes back as it was", T, float, double) {
  Network<T> network(mixed(9, 4));
  Numbers numbers(1);
  for (T& w : network.parameters()) w = static_cast<T>(numbers.next());
  for (T& s : network.statistics()) s = static_cast<T>(1.5 + numbers.next());
  const Path path;
  save(path.name, network, static_cast<const Trainer<T>*>(nullptr), "anything é \"at\" all");
  CHECK(stored_type(path.name) == (sizeof(T) == 4 ? "float32" : "float64"));
  const Model<T> model = load_model<T>(path.name);
  CHECK(same_bits<T>(model.network->parameters(), network.parameters()));
  CHECK(same_bits<T>(model.network->statistics(), network.statistics()));
  CHECK(to_json(model.network->spec()) == to_json(network.spec()));
  CHECK(model.extra == "anything é \"at\" all");
  CHECK(model.trainer == nullptr);
  CHECK(same_bits<T>(load<T>(path.name).parameters(), network.parameters()));
  using Other = std::conditional_t<sizeof(T) == 4, double, float>;
  CHECK_THROWS_AS(load_model<Other>(path.name), FormatError);
  const Path again;
  save(again.name, *model.network, static_cast<const Trainer<T>*>(nullptr), model.extra);
  CHECK(again.read() == path.read());
}

TEST_CASE_TEMPLATE("training that was saved and loaded goes on with the same bits", T, float, double) {
  const Classes<T> classes(100, 9, 3);
  TrainerSpec spec{
      .loss = {"sparse_softmax_cross_entropy", {}}, .optimizer = {"adam", {{"amsgrad", 1}}}, .seed = 77};
  spec.schedule = {{"cosine", {{"total_steps", 40}}}};
  Network<T> through(mixed(9, 3));
  learn(through, classes.data);
  Network<T> first(through);
  Trainer<T> a(through, spec), b(first, spec);
  train(a, classes.data, 0, 6);
  train(b, classes.data, 0, 2);
  const Path path;
  save(path.name, first, &b);
  const Model<T> model = load_model<T>(path.name);
  REQUIRE(model.trainer != nullptr);
  CHECK(model.trainer->steps_done() == b.steps_done());
  train(*model.trainer, classes.data, 2, 6);
  CHECK(same_bits<T>(model.network->parameters(), through.parameters()));
  CHECK(same_bits<T>(model.network->statistics(), through.statistics()));
  for (int i = 0; i < a.state_count(); ++i) CHECK(same_bits<T>(model.trainer->state(i), a.state(i)));
}

TEST_CASE("every cut of a file is refused") {
  const std::string bytes = model_bytes();
  for (std::size_t length = 0; length < bytes.size(); length += length < 64 ? 1 : 13) {
    CAPTURE(length);
    CHECK(refusal(bytes.substr(0, length)) != "loaded");
  }
  CHECK(refusal(bytes) == "loaded");
}

TEST_CASE("a flipped bit is refused or is a bit of a number") {
  const std::string bytes = model_bytes();
  const Parts parts(bytes);
  for (std::size_t at = 0; at < 8 + parts.header.size(); ++at)
    for (const int bit : {0, 3, 6, 7}) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      refusal(flipped);  // any exception but FormatError ends the test, and so does a crash
    }
}

TEST_CASE("lengths and offsets are not believed") {
  const std::string bytes = model_bytes();
  const Parts parts(bytes);
  for (const int byte : {0xff, 0x7f, 0x01})
    for (std::size_t i = 2; i < 8; ++i) {
      std::string large = bytes;
      large[i] = static_cast<char>(byte);
      CHECK(refusal(large).find("the header claims") != std::string::npos);
    }
  CHECK(refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":16777216")) != "loaded");
  CHECK(refusal(parts.with("\\\"input_width\\\":3", "\\\"input_width\\\":3000000000000000000")) != "loaded");
  CHECK(refusal(parts.with("\\\"input_width\\\":3", "\\\"input_width\\\":-3")) != "loaded");
  CHECK(refusal(parts.with("\"data_offsets\":[0,", "\"data_offsets\":[4,")) != "loaded");
  CHECK(refusal(parts.with("\"data_offsets\":[0,", "\"data_offsets\":[18446744073709551612,")) != "loaded");
  CHECK(refusal(parts.with("\"shape\":[3,4]", "\"shape\":[4,3]")).find("has shape") != std::string::npos);
  CHECK(refusal(parts.with("\"shape\":[3,4]", "\"shape\":[-3,-4]")) != "loaded");
  CHECK(refusal(parts.with("\"F32\"", "\"F16\"")).find("is F16, expected F32") != std::string::npos);
}

TEST_CASE("whole numbers are whole and of a size that is meant") {
  const Parts parts(model_bytes());
  for (const char* units : {"1e19", "1e300", "9007199254740994"})
    CHECK(
        refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":" + std::string(units))).find("whole number") !=
        std::string::npos);
  CHECK(refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":1e-320")).find("units = 9.99") !=
        std::string::npos);  // of no size that a number can be read back from
  for (const char* width : {"3.0", "1e19", "true", "18446744073709551615"})
    CHECK(refusal(parts.with("\\\"input_width\\\":3", "\\\"input_width\\\":" + std::string(width)))
              .find("'input_width' must be a whole number") != std::string::npos);
  for (const char* seed : {"-1", "1.5", "1e30", "false"})
    CHECK(refusal(parts.with("\\\"seed\\\":3", "\\\"seed\\\":" + std::string(seed)))
              .find("'seed' must be a whole number >= 0") != std::string::npos);
  for (const char* length : {"3.0", "1e19", "[3]"})
    CHECK(refusal(parts.with("\"shape\":[3,4]", "\"shape\":[" + std::string(length) + ",4]"))
              .find("must be a whole number") != std::string::npos);
  CHECK(
      refusal(parts.with("\"data_offsets\":[0,", "\"data_offsets\":[0.0,")).find("must be a whole number") !=
      std::string::npos);
  for (const char* steps : {"1.5", "-1", "9007199254740993", "1e19"})
    CHECK(
        refusal(parts.with("\\\"steps_done\\\":", "\\\"steps_done\\\":" + std::string(steps) + ",\\\"a\\\":"))
            .find("steps_done") != std::string::npos);
}

TEST_CASE("arrays may not overlap or leave holes, nor may the file go on behind them") {
  const std::string bytes = model_bytes();
  const Parts parts(bytes);
  CHECK(refusal(bytes + std::string(4, '\0')) != "loaded");
  // the bias of 4 numbers at the place of the first 4 weights
  const auto at = parts.header.find("\"dense_1.bias\":{\"data_offsets\":[");
  REQUIRE(at != std::string::npos);
  const auto open = parts.header.find('[', at), close = parts.header.find(']', open);
  CHECK(refusal(file_of(std::string(parts.header).replace(open, close - open + 1, "[16,32]"), parts.data)) !=
        "loaded");
}

TEST_CASE("versions, names and kinds that are not known") {
  const Parts parts(model_bytes());
  CHECK(refusal(parts.with("\"deltarule.version\":\"1\"", "\"deltarule.version\":\"2\""))
            .find("version 2 is not known") != std::string::npos);
  CHECK(refusal(parts.with("\\\"version\\\":1", "\\\"version\\\":99")).find("version 99 is not known") !=
        std::string::npos);
  CHECK(refusal(parts.with("\"deltarule.version\"", "\"another.version\""))
            .find("was not written by deltarule") != std::string::npos);
  CHECK(refusal(parts.with("\\\"relu\\\"", "\\\"rleu\\\"")).find("did you mean 'relu'?") !=
        std::string::npos);
  CHECK(refusal(parts.with("\\\"adam\\\"", "\\\"eve\\\"")).find("unknown optimizer 'eve'") !=
        std::string::npos);
  CHECK(refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":\\\"4\\\"")) != "loaded");
  CHECK(refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":null")) != "loaded");
  CHECK(refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":4,\\\"power\\\":9")).find("power") !=
        std::string::npos);
  CHECK(refusal(parts.with("\\\"steps_done\\\":", "\\\"steps_done\\\":-")).find("steps_done") !=
        std::string::npos);
  CHECK(refusal(parts.with("\"dense_1.bias\"", "\"dense_9.bias\"")) != "loaded");
  CHECK(refusal(parts.with(
            "\"dense_1.bias\"",
            "\"dense_1.bias\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"more\"")) !=
        "loaded");
}

TEST_CASE("duplicate keys, deep nesting and other odd JSON") {
  const Parts parts(model_bytes());
  CHECK(refusal(parts.with("{\"__metadata__\"", "{\"__metadata__\":{},\"__metadata__\""))
            .find("stands there twice") != std::string::npos);
  CHECK(
      refusal(parts.with("\\\"units\\\":4", "\\\"units\\\":4,\\\"units\\\":5")).find("stands there twice") !=
      std::string::npos);
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  CHECK(refusal(parts.with("{\"__metadata__\"", "{\"deep\":" + deep + ",\"__metadata__\""))
            .find("nested deeper") != std::string::npos);
  CHECK(refusal(file_of(std::string(1000000, '{'), "")) != "loaded");
  for (const char* header :
       {"", "{}", "[]", "null", "1", "{\"__metadata__\":[]}", "{\"__metadata__\":{\"deltarule.version\":1}}",
        "{\"a\":NaN}", "\xff\xfe",
        "{\"__metadata__\":{\"deltarule.version\":\"1\",\"deltarule.network\":\"[]\"}}"}) {
    CAPTURE(header);
    CHECK(refusal(file_of(header, "")) != "loaded");
  }
}

TEST_CASE("numbers that are not finite are refused") {
  const std::string bytes = model_bytes();
  const Parts parts(bytes);
  for (const char* four : {"\x00\x00\xc0\x7f", "\x00\x00\x80\x7f", "\x00\x00\x80\xff"})
    for (const std::size_t place : {std::size_t{0}, parts.data.size() - 4}) {
      std::string data = parts.data;
      data.replace(place, 4, std::string(four, 4));
      CHECK(refusal(file_of(parts.header, data)).find("not finite") != std::string::npos);
    }
}

TEST_CASE("a variance below zero and a deviation that is not above it are neither written nor read") {
  const auto image = [](float x) { return std::string(reinterpret_cast<const char*>(&x), sizeof x); };
  const auto expect = [&](const char* name, float wrong, const std::string& text) {
    CAPTURE(name);
    Network<float> network({3, {layer("standardize"), layer("batch_norm"), dense(2)}, 3});
    constexpr float mark = 0.171875f;  // of no other number in the file
    network.tensor(name)[1] = mark;
    const Path path;
    save(path.name, network);
    std::string bytes = path.read();
    CHECK(refusal(bytes) == "loaded");
    const auto at = bytes.find(image(mark));
    REQUIRE(at != std::string::npos);
    bytes.replace(at, sizeof mark, image(wrong));
    const std::string complaint = "array '" + std::string(name) + "' holds " + text;
    CHECK(refusal(bytes).find(complaint) != std::string::npos);
    network.tensor(name)[1] = wrong;
    CHECK_THROWS_WITH_AS(save(path.name, network),
                         ("save: " + complaint + ", which no load would accept; nothing is written").c_str(),
                         std::invalid_argument);
  };
  expect("standardize_1.deviation", -0.5f, "-0.5; allowed: numbers > 0");
  expect("standardize_1.deviation", 0, "0; allowed: numbers > 0");
  expect("batch_norm_1.running_variance", -0.25f, "-0.25; allowed: numbers >= 0");
}

TEST_CASE("names of files are UTF-8") {
  const auto file =
      std::filesystem::temp_directory_path() / u8"deltarule_test_\u017c\u00f3\u0142w.safetensors";
  const std::u8string name = file.u8string();
  Network<float> network({3, {dense(4)}, 3});
  save(std::string(name.begin(), name.end()), network);
  CHECK(std::filesystem::exists(file));
  CHECK(load_model<float>(std::string(name.begin(), name.end())).extra.empty());
  std::filesystem::remove(file);
}

TEST_CASE("saving is all or nothing") {
  Network<float> network({3, {dense(4)}, 3});
  const Path path;
  save(path.name, network);
  const std::string before = path.read();
  CHECK_THROWS_AS(save(path.name, network, static_cast<const Trainer<float>*>(nullptr), "\xff not UTF-8"),
                  std::invalid_argument);
  CHECK(path.read() == before);
  CHECK_THROWS_AS(save("/no/such/folder/model.safetensors", network), std::system_error);
  CHECK_THROWS_AS(load_model<float>("/no/such/file"), std::system_error);
  CHECK_THROWS_AS(load_model<float>(std::filesystem::temp_directory_path().string()), std::system_error);
  Network<float> loose({3, {dense(4)}, 0});
  CHECK_THROWS_AS(save(path.name, loose), std::invalid_argument);
  CHECK(path.read() == before);
  network.parameters()[0] = 5;
  save(path.name, network);
  CHECK(path.read() != before);
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(path.name).parent_path()))
    files += entry.path().string().starts_with(path.name);
  CHECK(files == 1);  // no temporary file is left
}
