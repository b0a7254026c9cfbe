// What is refused, with words that name it, before anything changes.
#include "support.h"

#include <deltarule/curvature.h>
#include <deltarule/custom.h>
#include <deltarule/engine/team.h>
#include <deltarule/fit.h>
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/stat.h>
#endif

using namespace support;

namespace {

template <class E = std::invalid_argument, class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}
bool says(const std::string& text, std::string_view part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}
std::string file(const char* name) { return (std::filesystem::temp_directory_path() / name).string(); }

// Data as the text of a safetensors header and nothing behind it.
std::string file_with_header(const char* name, const std::string& header) {
  const std::string path = file(name);
  std::ofstream out(path, std::ios::binary);
  const std::uint64_t length = header.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof(length));
  out << header;
  return path;
}

const std::vector<float> rows(8, 0.5f), targets(4, 0.25f);

}  // namespace

TEST_CASE("refused: what run_epoch is asked for") {
  Network<float> network({.layers = {dense(1)}, .input_width = 2});
  Trainer<float> trainer(network, {.loss = {"mse"}});
  const Data<float> data{.rows = 4, .x = rows.data(), .target = targets.data()};
  const std::vector<float> before(network.parameters().begin(), network.parameters().end());
  const auto epoch = [&](Data<float> d, EpochOptions options) {
    return refusal([&] { trainer.run_epoch(d, options); });
  };
  CHECK(says(epoch(data, {.first_step = -1}), "first_step = -1 is not allowed; allowed: 0 or more"));
  CHECK(says(epoch(data, {.batch_size = 2, .first_step = 3}),
             "first_step = 3 is not allowed; allowed: 0 to 2"));
  CHECK(says(epoch(data, {.batch_size = -7}), "batch_size = -7"));
  CHECK(says(epoch(data, {.max_steps = -1}), "max_steps = -1"));
  CHECK(says(epoch(data, {.epoch = -1}), "epoch = -1"));
  const auto many = static_cast<std::ptrdiff_t>(std::int64_t{1} << 32);
  CHECK(says(epoch({.rows = many, .x = rows.data(), .target = targets.data()}, {}), "shuffle = false"));
  CHECK(says(refusal([&] { trainer.evaluate(data, -7); }), "batch_size = -7"));
  CHECK(says(refusal([&] { trainer.explain_plan(std::int64_t{1} << 62); }), "explain_plan: batch_size"));
  CHECK(says(refusal([&] { trainer.set_steps_done(-1); }), "step = -1"));
  CHECK(says(refusal([&] { trainer.set_steps_done(std::numeric_limits<std::int64_t>::max()); }), "at most"));
  CHECK(says(refusal([&] { trainer.set_averaged(-5); }), "count = -5"));
  CHECK(says(epoch({.rows = 4, .target = targets.data()}, {}), "no rows of data"));
  CHECK(says(epoch({.rows = 4, .x = rows.data()}, {}), "one target per output, but none were given"));
  const std::vector<float> weights{1, 1, -1000, 1};
  CHECK(says(epoch({.rows = 4, .x = rows.data(), .target = targets.data(), .weight = weights.data()}, {}),
             "of row 2 is not allowed"));
  CHECK(says(refusal([&] {
               FitResult result;
               fit<float>(trainer, {.data = data, .first_epoch = 3, .last_epoch = 2}, result);
             }),
             "epochs 3 to 2"));
  CHECK(std::ranges::equal(before, network.parameters()));
  CHECK(trainer.steps_done() == 0);
}

TEST_CASE("refused: a network that is not there") {
  Network<float> network({.layers = {dense(1)}, .input_width = 2});
  Trainer<float> trainer(network, {.loss = {"mse"}});
  const Network<float> moved = std::move(network);
  CHECK(!network.built());  // NOLINT(bugprone-use-after-move): what is tested
  CHECK(moved.built());
  CHECK(says(refusal([&] { Session<float> session(network); }), "not built"));
  CHECK(says(refusal([&] { Bfloat16Weights weights(network); }), "not built"));
  CHECK(says(refusal([&] { save(file("deltarule_moved"), network); }), "not built"));
  CHECK(says(refusal([&] { trainer.run_epoch({.rows = 4, .x = rows.data(), .target = targets.data()}, {}); }),
             "moved away"));
  CHECK(says(refusal([&] { network.build(2); }), "moved away"));
  CHECK(says(refusal([&] { network.check_input(4, rows.data(), 2); }), "moved away"));
  CHECK(!std::is_constructible_v<Session<float>, Network<float>&&>);
  CHECK(!std::is_constructible_v<Session<float>, const Network<float>&, Bfloat16Weights&&>);
}

TEST_CASE("refused: another step of the trainer whose step is under way") {
  Network<float> network({.layers = {dense(1)}, .input_width = 2});
  Trainer<float> trainer(network, {.loss = {"mse"}});
  constexpr std::ptrdiff_t steps = 200'000;  // some polls long
  const std::vector<float> x(2 * steps, 0.5f), y(steps, 0.25f);
  const Data<float> data{.rows = steps, .x = x.data(), .target = y.data()};
  const Data<float> small{.rows = 4, .x = rows.data(), .target = targets.data()};
  for (const auto& call : std::initializer_list<std::function<void()>>{[&] { trainer.run_epoch(small, {}); },
                                                                       [&] { trainer.step(small); },
                                                                       [&] { trainer.release_memory(); }}) {
    const std::int64_t before = trainer.steps_done();
    int refused = 0;
    const EpochResult result = trainer.run_epoch(data, {.batch_size = 1, .poll = [&] {
                                                          refused += says(refusal(call), "is under way");
                                                          trainer.evaluate(small);
                                                          return false;
                                                        }});
    CHECK(result.steps == steps);
    CHECK(trainer.steps_done() - before == steps);
    CHECK(refused > 0);
  }
  CHECK_NOTHROW(trainer.step(small));
}

TEST_CASE("refused: numbers and options, as they were given") {
  Network<float> network({.layers = {dense(1)}, .input_width = 2});
  CHECK(says(refusal([&] { Trainer<float>(network, {.loss = {"mse"}, .clip_norm = -1e-9}); }),
             "clip_norm = -1e-09 is not allowed"));
  CHECK(says(refusal([&] { EarlyStopping(EarlyStopping::Options{.patience = -2}); }),
             "EarlyStopping: patience = -2 is not allowed; allowed: 0 or more"));
  CHECK(says(refusal([&] { ReduceOnPlateau(ReduceOnPlateau::Options{.factor = 1.5}); }),
             "factor = 1.5 is not allowed; allowed: 0 or more, less than 1"));
  const std::string text = refusal([&] { catalog::find(Family::activation, std::string(3'000'000, 'a')); });
  CHECK(text.size() < 10'000);
  CHECK(says(refusal([&] { catalog::find(Family::activation, "RELU"); }), "did you mean 'relu'"));
  CHECK(says(refusal([&] { check_data(network, {}, Data<float>{.rows = 4, .x = rows.data()}); }), "no loss"));
}

#if defined(__unix__) || defined(__APPLE__)
TEST_CASE("pipes, devices and names with a zero are neither read nor replaced") {
  const std::string pipe = file("deltarule_pipe");
  std::filesystem::remove(pipe);
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const Network<float> network({.layers = {dense(1)}, .input_width = 2});
  for (const std::string& name :
       {pipe, std::string("/dev/null"), file("deltarule_") + std::string("\0zero", 5)}) {
    CHECK(says(refusal<std::system_error>([&] { load<float>(name); }), "cannot read"));
    CHECK(says(refusal<std::system_error>([&] { save(name, network); }), "cannot write"));
  }
  CHECK(std::filesystem::is_fifo(pipe));
  std::filesystem::remove(pipe);
}
#endif

TEST_CASE("refused: a session of no rows, or of more than there can be") {
  const Network<float> network({.layers = {dense(8), dense(2)}, .input_width = 2});
  for (const std::ptrdiff_t most :
       {std::numeric_limits<std::ptrdiff_t>::max(), std::ptrdiff_t{0}, std::ptrdiff_t{-1}})
    CHECK(says(refusal([&] { Session<float> session(network, most); }), "max_batch"));
}

TEST_CASE("refused: data that nothing can be learned from; the statistics stay") {
  Network<double> network({.layers = {layer("standardize"), dense(1)}, .input_width = 2});
  const std::vector<double> before(network.statistics().begin(), network.statistics().end());
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e300}) {
    const std::vector<double> x{1, 2, 3, bad};
    CHECK(says(refusal([&] { network.adapt(2, x.data(), 2); }), "feature 1"));
  }
  const std::vector<double> x{1, 2, 3, 4};
  CHECK(says(refusal([&] { network.adapt(2, nullptr, 2); }), "no rows"));
  CHECK(says(refusal([&] { network.adapt(0, x.data(), 2); }), "no rows"));
  CHECK(says(refusal([&] { network.adapt(2, x.data(), 1); }), "apart"));
  CHECK(std::ranges::equal(before, network.statistics()));
  Network<double> unbuilt({.layers = {layer("standardize"), dense(1)}});
  CHECK(says(refusal([&] { unbuilt.adapt(2, x.data(), 2); }), "not built"));
  CHECK(says(refusal([] { Network<float>({.layers = {dense(1)}, .input_width = -3}); }), "input width -3"));
}

TEST_CASE("refused: steps of a network whose standardize layer has seen no data; fit lets it learn, once") {
  const std::vector<float> x{-1, 3, 1, 5}, shifted{9, 13, 11, 15}, target{0, 1};
  const Data<float> data{.rows = 2, .x = x.data(), .target = target.data()};
  const Data<float> other{.rows = 2, .x = shifted.data(), .target = target.data()};
  const NetworkSpec spec{.layers = {layer("standardize"), dense(1)}, .input_width = 2};
  const TrainerSpec training{.loss = {"mse"}};
  Network<float> network(spec);
  const std::vector<float> before = parameters_of(network);
  Trainer<float> trainer(network, training);
  CHECK(network.waits_for_data() == "standardize_1");
  for (const std::string& words :
       {refusal([&] { trainer.step(data); }), refusal([&] { trainer.run_epoch(data, {}); })}) {
    CHECK(says(words, "'standardize_1'"));
    CHECK(says(words, "adapt()"));
  }
  CHECK(same_bits<float>(network.parameters(), before));
  CHECK(trainer.steps_done() == 0);
  fit(trainer, {.data = data});
  CHECK(network.adapted());
  CHECK(network.tensor("standardize_1.mean")[1] == 4);
  fit(trainer, {.data = other});
  CHECK(network.tensor("standardize_1.mean")[1] == 4);
  network.adapt(2, shifted.data(), 2);
  CHECK(network.tensor("standardize_1.mean")[1] == 14);

  Network<float> by_hand(spec);
  by_hand.tensor("standardize_1.mean")[0] = 2;
  CHECK(by_hand.waits_for_data().empty());
  Network<float> as_new(spec);  // mean 0 and deviation 1, as it happens
  const std::vector<float> even{-1, 1, 1, -1};
  as_new.adapt(2, even.data(), 2);
  CHECK(Network<float>(as_new).waits_for_data().empty());
  Trainer<float>(as_new, training).step({.rows = 2, .x = even.data(), .target = target.data()});
}

TEST_CASE("refused: files that nobody could read; the old one stays") {
  const std::string path = file("deltarule_refusals.safetensors");
  Network<float> network({.layers = {dense(2)}, .input_width = 2}),
      other({.layers = {dense(500)}, .input_width = 2});
  save(path, network);
  const auto size = std::filesystem::file_size(path);
  Trainer<float> trainer(network, {.loss = {"mse"}, .optimizer = {"adam"}});
  CHECK(says(refusal([&] { save(path, other, &trainer); }), "another network"));
  other.parameters()[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(says(refusal([&] { save(path, other); }), "'dense_1.weight' holds a number that is not finite"));
  CHECK(std::filesystem::file_size(path) == size);
  CHECK(load<float>(path).parameters().size() == 6);
  CHECK(says(refusal<FormatError>([&] { load<double>(path); }), "is F32, expected F64"));
  std::filesystem::remove(path);
}

// The time a parser takes must not grow with the square of the file's size: these would take an hour.
TEST_CASE("refused: headers of very many members") {
  std::string header = "{", layers = "[";
  for (int i = 0; i < 400000; ++i) {
    header += (i ? ",\"" : "\"") + std::to_string(i) + "\":{}";
    layers += i ? ",{\"a\":{}}" : "{\"a\":{}}";
  }
  const std::string path = file_with_header("deltarule_members.safetensors", header + "}");
  CHECK(says(refusal<FormatError>([&] { load<float>(path); }), "'deltarule.version' is missing"));
  std::filesystem::remove(path);
  CHECK(says(refusal<FormatError>([&] { network_spec_from_json("{\"layers\":" + layers + "]}"); }),
             "'type' is missing"));
  std::string many = "[";
  for (int i = 0; i < 100000; ++i) many += i ? ",{\"type\":\"standardize\"}" : "{\"type\":\"standardize\"}";
  const Network<float> long_one(network_spec_from_json("{\"layers\":" + many + "]}"));
  CHECK(long_one.layers().size() == 100000);
}

TEST_CASE("refused: settings and schedules that would count for nothing") {
  CHECK(says(refusal([] {
               Network<float>({.layers = {{.type = "dense", .settings = {{"units", 3}, {"units", 4}}}}});
             }),
             "units is given twice"));
  CHECK(says(refusal([] {
               Network<float>(
                   {.layers = {{.type = "dense", .settings = {{"units", 3}, {"activation", "relu"}}}}});
             }),
             "LayerSpec::parts"));
  Network<float> network({.layers = {dense(1)}, .input_width = 2});
  const Spec cosine{"cosine", {{"total_steps", 10}}}, warmup{"warmup", {{"warmup_steps", 5}}};
  CHECK(says(refusal([&] { Trainer<float>(network, {.loss = {"mse"}, .schedule = {cosine, warmup}}); }),
             "'warmup' stands behind it"));
  CHECK_NOTHROW(Trainer<float>(network, {.loss = {"mse"}, .schedule = {warmup, cosine}}));
  CHECK(says(refusal([] { EarlyStopping({.patience = -1}); }), "patience"));
  CHECK(says(refusal([] { ReduceOnPlateau({.factor = 5}); }), "factor"));
}

TEST_CASE("refused: a row function for other targets than the options say") {
  const auto of_values = [](std::size_t, const auto* y, const auto* t, auto* g) {
    g[0] = y[0] - t[0];
    return 0.0;
  };
  CHECK(says(refusal([&] { custom::add_loss_of_rows("test_values", of_values, {.target = Target::label}); }),
             "'test_values' takes values"));
  const auto of_classes = []<class T>(std::size_t, const T*, std::int32_t label, T*) {
    return double(label);
  };
  CHECK(says(refusal([&] { custom::add_loss_of_rows("test_classes", of_classes); }), "takes class numbers"));
}

TEST_CASE("settings are numbers, texts or lists") {
  const int units = 3;
  const std::size_t count = 4;
  CHECK(Setting("units", units).value == 3);
  CHECK(Setting("units", count).value == 4);
  CHECK(Setting("first", true).value == 1);
  CHECK(Setting("approximate", "tanh").text == "tanh");
  CHECK(Setting("shape", {8, 8, 1}).list == std::vector<double>{8, 8, 1});
  const LayerSpec layer{.type = "reshape", .settings = {{"shape", {8, 8, 1}}}};
  CHECK(layer.settings[0].list->size() == 3);
}

TEST_CASE("curvature looks at its rows first") {
  const Network<float> network({3, {dense(20)}, 1});
  const Choice loss = catalog::choose(Family::loss, {"sparse_softmax_cross_entropy", {}});
  const std::vector<float> x(12);
  std::vector<std::int32_t> labels{0, 19, 20, 1};
  const std::vector<std::uint32_t> chosen{3, 2, 1, 0};
  CHECK_THROWS_AS(Curvature<float>(network, loss, {.rows = 4, .x = x.data(), .label = labels.data()}),
                  std::invalid_argument);
  CHECK_THROWS_AS(Curvature<float>(network, loss, {.rows = 4, .x = x.data()}), std::invalid_argument);
  labels[2] = 2;
  CHECK_THROWS_AS(
      Curvature<float>(network, loss,
                       {.rows = 4, .x = x.data(), .label = labels.data(), .index = chosen.data()}),
      std::invalid_argument);
  Curvature<float> curvature(network, loss, {.rows = 4, .x = x.data(), .label = labels.data()});
  std::vector<float> v(80, 1.f), out(80);
  curvature.times(v.data(), out.data());
  CHECK(std::ranges::all_of(out, [](float value) { return std::isfinite(value); }));
}

TEST_CASE("a text that no load would accept is not saved") {
  const Network<float> network({3, {dense(2)}, 1});
  const std::string path = file("deltarule_kept.safetensors");
  save<float>(path, network);
  CHECK(says(refusal([&] { save<float>(path, network, nullptr, std::string(65u << 20, 'a')); }), "save: "));
  CHECK_NOTHROW(load<float>(path));
  std::filesystem::remove(path);
}

TEST_CASE("a figure that is not a number is not the best one") {
  EarlyStopping rule(EarlyStopping::Options{.patience = 2});
  using Verdict = EarlyStopping::Verdict;
  const double nan = std::nan("");
  CHECK(rule.observe(0, nan) == Verdict::best_so_far);
  CHECK(rule.observe(1, 1.0) == Verdict::best_so_far);
  CHECK(rule.observe(2, nan) == Verdict::go_on);
  CHECK(rule.observe(3, 0.5) == Verdict::best_so_far);
  CHECK(rule.observe(4, 0.75) == Verdict::go_on);
  CHECK(rule.observe(5, 0.75) == Verdict::stop);
  CHECK(rule.best() == 0.5);
  CHECK(rule.best_epoch() == 3);
}

TEST_CASE("a rule of one's own has a rate that a step can use") {
  for (const double rate : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK(says(refusal([&] {
                 const auto nothing = [](const auto&...) {};
                 custom::add_optimizer("no_rate", nothing, nothing, rate);
               }),
               "learning_rate"));
}

TEST_CASE("no more threads than a pool holds") {
  engine::set_threads(1 << 30);
  CHECK(engine::threads() == engine::most_threads);
  engine::set_threads(0);
}
