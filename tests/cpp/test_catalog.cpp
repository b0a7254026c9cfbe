// The declarations: lookup, suggestions, ranges, round trips.
#include <deltarule/catalog.h>
#include <deltarule/elementwise.h>
#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>

using namespace deltarule;

namespace {

std::string error_of(auto&& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("every entry is found by its name and its aliases") {
  for (const Family family : catalog::families()) {
    std::set<std::string_view> names;
    const auto entries = catalog::entries(family);
    CHECK(!entries.empty());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Entry& entry = *entries[i];
      CAPTURE(entry.name);
      CHECK(catalog::find(family, entry.name) == static_cast<int>(i));
      CHECK(names.insert(entry.name).second);
      CHECK(!entry.summary.empty());
      CHECK(entry.parameters.size() <= static_cast<std::size_t>(max_parameters));
      for (std::string_view rest = entry.aliases; !rest.empty();) {
        const auto bar = rest.find('|');
        CHECK(catalog::find(family, rest.substr(0, bar)) == static_cast<int>(i));
        CHECK(names.insert(rest.substr(0, bar)).second);
        rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
      }
    }
  }
}

TEST_CASE("unknown names are answered with the nearest one") {
  const auto unknown = [](Family family, const char* name) {
    return error_of([&] { catalog::find(family, name); });
  };
  CHECK(unknown(Family::activation, "gleu") == "unknown activation 'gleu', did you mean 'gelu'?");
  CHECK(unknown(Family::activation, "leakyrelu") ==
        "unknown activation 'leakyrelu', did you mean 'leaky_relu'?");
  CHECK(unknown(Family::optimizer, "adamm") == "unknown optimizer 'adamm', did you mean 'adam'?");
  CHECK(unknown(Family::loss, "sparse_softmax_crossentropy") ==
        "unknown loss 'sparse_softmax_crossentropy', did you mean 'sparse_softmax_cross_entropy'?");
  CHECK(unknown(Family::schedule, "zzzzzzzzzzzz").find("; known: 'constant'") != std::string::npos);
  CHECK(unknown(Family::metric, "") != "nothing was thrown");
  CHECK(unknown(Family::activation, "Relu").find("relu") != std::string::npos);
}

void check_list(const Entry& entry, std::size_t i) {
  const Param& p = entry.parameters[i];
  const std::vector<double> standard(p.list.begin(), p.list.end());
  const auto given = [&](std::vector<double> list) {
    const Setting setting{std::string(p.name), std::move(list)};
    const Values values = catalog::resolve(entry, std::span(&setting, 1));
    const Lists lists = catalog::resolve_lists(entry, std::span(&setting, 1));
    CHECK(values[i] == static_cast<double>(lists[i].size()));
    return lists[i];
  };
  CHECK(catalog::resolve_lists(entry, {})[i] == standard);
  // A list that must be given has no default: one of the smallest legal numbers stands in.
  const double least = std::isfinite(p.low) ? p.low + (p.low_open ? 1 : 0) : 0;
  const std::vector<double> legal =
      standard.empty() ? std::vector<double>(std::max<std::size_t>(p.shortest, 1), least) : standard;
  CHECK(given(legal) == legal);
  for (const double wrong : {std::nan(""), p.low - 1}) {
    std::vector<double> list = legal;
    list.back() = wrong;
    if (!(wrong >= -1e300 || std::isnan(wrong))) continue;
    CHECK_THROWS_AS(given(list), std::invalid_argument);
  }
  CHECK_THROWS_AS(given(std::vector<double>(p.longest + 1, legal.back())), std::invalid_argument);
  if (p.shortest > 0) CHECK_THROWS_AS(given({}), std::invalid_argument);
}

TEST_CASE("every declared range is kept, to its ends") {
  for (const Family family : catalog::families())
    for (const Entry* entry : catalog::entries(family))
      for (std::size_t i = 0; i < entry->parameters.size(); ++i) {
        const Param& p = entry->parameters[i];
        CAPTURE(entry->name);
        CAPTURE(p.name);
        CHECK(!catalog::range_text(p).empty());
        CHECK(!p.meaning.empty());
        const auto given = [&](double value, const char* text = "") {
          const Setting setting{std::string(p.name), value, text};
          return catalog::resolve(*entry, std::span(&setting, 1))[i];
        };
        if (is_list(p.kind)) {
          check_list(*entry, i);
          continue;
        }
        CHECK(catalog::resolve(*entry, {})[i] == p.value);
        CHECK_THROWS_AS(given(std::nan("")), std::invalid_argument);
        CHECK_THROWS_AS(given(0, "no such choice"), std::invalid_argument);
        if (p.kind == Kind::choice) continue;
        CHECK(given(p.value) == p.value);
        if (p.kind == Kind::boolean) {
          CHECK(given(1) == 1);
          CHECK_THROWS_AS(given(2), std::invalid_argument);
          continue;
        }
        if (p.low_open)
          CHECK_THROWS_AS(given(p.low), std::invalid_argument);
        else
          CHECK(given(p.low) == p.low);
        if (p.high_open)
          CHECK_THROWS_AS(given(p.high), std::invalid_argument);
        else
          CHECK(given(p.high) == p.high);
        if (std::isfinite(p.low)) CHECK_THROWS_AS(given(p.low - 1), std::invalid_argument);
        if (p.kind == Kind::integer) CHECK_THROWS_AS(given(p.value + 0.5), std::invalid_argument);
      }
}

TEST_CASE("errors name entry, parameter, value and range") {
  const auto text = [](Family family, const Spec& spec) {
    return error_of([&] { catalog::choose(family, spec); });
  };
  CHECK(text(Family::optimizer, {"adam", {{"beta_1", 1.0}}}) ==
        "adam: beta_1 = 1 is not allowed; allowed: a number with 0 <= beta_1 < 1");
  CHECK(text(Family::activation, {"gelu", {{"approximate", "erf"}}}) ==
        "gelu: approximate = 'erf' is not allowed; allowed: one of 'none', 'tanh', 'sigmoid'");
  CHECK(text(Family::activation, {"gelu", {{"aproximate", "tanh"}}}) ==
        "gelu: unknown parameter 'aproximate', did you mean 'approximate'?");
  CHECK(text(Family::activation, {"relu", {{"alpha", 1}}}) == "relu: unknown parameter 'alpha'; it has none");
  CHECK(
      text(Family::schedule, {"cosine", {{"total_steps", 0}}}).find("a whole number with 1 <= total_steps") !=
      std::string::npos);
}

TEST_CASE("spec_of is the reverse of choose") {
  for (const Family family : catalog::families())
    for (const Entry* entry : catalog::entries(family)) {
      const Choice choice = catalog::choose(family, {std::string(entry->name), {}});
      const Spec spec = catalog::spec_of(choice);
      CHECK(spec.name == entry->name);
      CHECK(spec.settings.size() == entry->parameters.size());
      CHECK(catalog::choose(family, spec).values == choice.values);
    }
  const Choice tanh_form = catalog::choose(Family::activation, {"gelu", {{"approximate", "tanh"}}});
  CHECK(tanh_form.values[0] == 1);
  CHECK(catalog::spec_of(tanh_form).settings[0].text == "tanh");
  CHECK(catalog::choose_activation({"softmax", {}}).family == Family::row_op);
  CHECK(catalog::choose_activation({"tanh", {}}).family == Family::activation);
  CHECK(catalog::choose_activation({}).index == -1);
}

TEST_CASE("kernels in place: y may be x, dx may be dy") {
  for (std::size_t i = 0; i < catalog::entries(Family::activation).size(); ++i) {
    const auto& kernel = activation_kernel<float>(static_cast<int>(i));
    const Values values = catalog::resolve(*catalog::entries(Family::activation)[i], {});
    for (std::size_t n = 0; n < 40; ++n) {
      std::vector<float> x(n), y(n, -7), dx(n, -7);
      for (std::size_t k = 0; k < n; ++k) x[k] = static_cast<float>(k) * 0.3f - 4;
      kernel.forward(values, n, x.data(), y.data());
      std::vector<float> own = x, dy(n, 1.5f), gradient(n, 1.5f);
      kernel.forward(values, n, own.data(), own.data());
      CHECK(own == y);
      kernel.backward(values, n, x.data(), y.data(), dy.data(), dx.data());
      kernel.backward(values, n, x.data(), y.data(), gradient.data(), gradient.data());
      CHECK(gradient == dx);
    }
  }
}
