#include <deltarule/build_info.h>
#include <deltarule/engine/team.h>
#include <deltarule/fit.h>
#include <deltarule/initializers.h>
#include <deltarule/loss_kernel.h>
#include <deltarule/schedules.h>

#include <Eigen/Core>
#include <cmath>

#include "common.h"

namespace deltarule::bindings {
namespace {

py::list split(std::string_view text) {
  py::list parts;
  while (!text.empty()) {
    const auto bar = text.find('|');
    parts.append(py::str(std::string(text.substr(0, bar))));
    text = bar == std::string_view::npos ? std::string_view{} : text.substr(bar + 1);
  }
  return parts;
}

py::object bound(double x) { return std::isfinite(x) ? py::object(py::float_(x)) : py::object(py::none()); }

py::tuple tuple_of(const Param& p, std::span<const double> values) {
  py::tuple items(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    items[i] = p.kind == Kind::integer_list ? py::object(py::int_(static_cast<long long>(values[i])))
                                            : py::object(py::float_(values[i]));
  return items;
}

}  // namespace

py::object value_of(const Param& p, double value, std::span<const double> list) {
  switch (p.kind) {
    case Kind::real_list:
    case Kind::integer_list:
      return tuple_of(p, list);
    case Kind::integer:
      return py::int_(static_cast<long long>(value));
    case Kind::boolean:
      return py::bool_(value != 0);
    case Kind::choice:
      return split(p.choices)[static_cast<std::size_t>(value)];
    case Kind::real:
      break;
  }
  return py::float_(value);
}

namespace {

py::dict describe(const Param& p) {
  constexpr const char* kinds[] = {"real", "integer", "boolean", "choice", "real_list", "integer_list"};
  using namespace py::literals;
  return py::dict("name"_a = p.name, "kind"_a = kinds[static_cast<std::size_t>(p.kind)],
                  "default"_a = value_of(p, p.value, p.list), "low"_a = bound(p.low),
                  "high"_a = bound(p.high), "low_open"_a = p.low_open, "high_open"_a = p.high_open,
                  "choices"_a = split(p.choices), "meaning"_a = p.meaning,
                  "range"_a = catalog::range_text(p));
}

py::dict config() {
  using namespace py::literals;
  const BuildInfo info = build_info();
  std::ptrdiff_t l1 = 0, l2 = 0, l3 = 0;
  Eigen::internal::manage_caching_sizes(Eigen::GetAction, &l1, &l2, &l3);
  return py::dict("version"_a = info.version, "isa"_a = info.isa, "threads"_a = engine::threads(),
                  "eigen"_a = info.eigen, "compiler"_a = info.compiler, "openmp"_a = engine::openmp_version(),
                  "l1_cache"_a = l1, "l2_cache"_a = l2, "l3_cache"_a = l3,
                  "float_lanes"_a = info.float_lanes);
}

}  // namespace

py::dict describe(Family family, int index, const Entry& e) {
  using namespace py::literals;
  constexpr const char* reads[] = {"nothing", "input", "output", "both"};
  constexpr const char* targets[] = {"values", "label", "label_or_distribution"};
  constexpr const char* reaches[] = {"element", "tensor", "layer", "network"};
  const bool loss = family == Family::loss;
  py::list parameters, states, kinks, parts;
  for (const Param& p : e.parameters) parameters.append(describe(p));
  for (const auto s : e.states) states.append(s);
  for (const double k : e.kinks) kinks.append(k);
  for (const Part& p : e.parts)
    parts.append(py::dict("name"_a = p.name, "family"_a = catalog::family_name(p.family),
                          "default"_a = p.value, "meaning"_a = p.meaning));
  constexpr const char* kinds_of_inner[] = {"nothing", "layer", "layers", "branches"};
  const auto inner = py::dict("kind"_a = kinds_of_inner[static_cast<std::size_t>(e.inner.kind)],
                              "name"_a = e.inner.name, "meaning"_a = e.inner.meaning);
  return py::dict(
      "inner"_a = inner, "name"_a = e.name, "class_name"_a = e.class_name, "aliases"_a = split(e.aliases),
      "summary"_a = e.summary, "formula"_a = e.formula, "derivative"_a = e.derivative, "source"_a = e.source,
      "parameters"_a = parameters, "parts"_a = parts, "states"_a = states,
      "reach"_a = reaches[static_cast<std::size_t>(e.reach)],
      "reads"_a = reads[static_cast<std::size_t>(e.reads)],
      "target"_a = targets[static_cast<std::size_t>(e.target)], "kinks"_a = kinks, "max_ulp"_a = e.max_ulp,
      "target_low"_a = bound(e.target_low), "target_high"_a = bound(e.target_high),
      "higher_is_better"_a = e.higher_is_better, "wraps"_a = e.wraps, "only_training"_a = e.only_training,
      "from_logits"_a = loss && loss_kernel<float>(index).from_logits,
      "trainable"_a = !loss || loss_kernel<float>(index).trainable,
      "signs"_a = loss && loss_kernel<float>(index).signs,
      "outputs_per_target"_a = loss ? loss_kernel<float>(index).outputs_per_target : 1);
}

Family family_of(const std::string& name) {
  for (const Family f : catalog::families())
    if (catalog::family_name(f) == name) return f;
  throw py::value_error("no family '" + name + "'");
}

void bind_catalog(py::module_& m) {
  using namespace py::literals;
  m.def("config", &config);
  m.def("catalog", [] {
    py::dict all;
    for (const Family f : catalog::families()) {
      py::list list;
      const auto entries = catalog::entries(f);
      for (std::size_t i = 0; i < entries.size(); ++i)
        list.append(describe(f, static_cast<int>(i), *entries[i]));
      all[py::str(std::string(catalog::family_name(f)))] = list;
    }
    return all;
  });
  m.def("entry", [](const std::string& family, const std::string& name) {
    const Family f = family_of(family);
    const int index = catalog::find(f, name);
    return describe(f, index, catalog::entry(f, index));
  });
  m.def("find", [](const std::string& family, const std::string& name) {
    return catalog::find(family_of(family), name);
  });
  m.def("resolve", [](const std::string& family, const std::string& name, const py::dict& settings) {
    const Choice choice = catalog::choose(family_of(family), {name, settings_from(settings)});
    py::dict out;
    for (std::size_t i = 0; i < choice.entry->parameters.size(); ++i) {
      const Param& p = choice.entry->parameters[i];
      out[py::str(std::string(p.name))] =
          value_of(p, choice.values[i], choice.lists.empty() ? std::vector<double>{} : choice.lists[i]);
    }
    return out;
  });
  m.def("scheduled_rate", [](const py::list& chain, double rate,
                             const py::array_t<double, py::array::c_style | py::array::forcecast>& steps) {
    std::vector<Choice> choices;
    for (const auto& item : chain) {
      auto settings = py::dict(item.attr("copy")());
      const auto name = py::cast<std::string>(settings.attr("pop")("name"));
      choices.push_back(catalog::choose(Family::schedule, {name, settings_from(settings)}));
    }
    py::array_t<double> out(std::vector<py::ssize_t>(steps.shape(), steps.shape() + steps.ndim()));
    for (py::ssize_t i = 0; i < steps.size(); ++i)
      out.mutable_data()[i] = scheduled_rate(choices, rate, steps.data()[i]);
    return out;
  });
  py::class_<ReduceOnPlateau>(m, "ReduceOnPlateau")
      .def(py::init([](double factor, int patience, double min_delta, int cooldown, double min_learning_rate,
                       bool maximize) {
             return ReduceOnPlateau({factor, patience, min_delta, cooldown, min_learning_rate, maximize});
           }),
           "factor"_a, "patience"_a, "min_delta"_a, "cooldown"_a, "min_learning_rate"_a, "maximize"_a)
      .def("observe", &ReduceOnPlateau::observe)
      .def("best", &ReduceOnPlateau::best);
  py::class_<EarlyStopping>(m, "EarlyStopping")
      .def(py::init([](double min_delta, int patience, int start_from_epoch, bool maximize) {
             return EarlyStopping({min_delta, patience, maximize, start_from_epoch});
           }),
           "min_delta"_a, "patience"_a, "start_from_epoch"_a, "maximize"_a)
      .def("observe",
           [](EarlyStopping& rule, std::int64_t epoch, double figure) {
             const auto verdict = rule.observe(epoch, figure);
             return std::pair(verdict == EarlyStopping::Verdict::best_so_far,
                              verdict == EarlyStopping::Verdict::stop);
           })
      .def("best", &EarlyStopping::best);
  m.def("initialize", [](const std::string& name, const py::dict& settings, double fan_in, double fan_out,
                         std::uint64_t seed, std::uint32_t tensor, py::ssize_t count) {
    py::array_t<double> out(count);
    initialize(catalog::choose(Family::initializer, {name, settings_from(settings)}), {fan_in, fan_out}, seed,
               tensor, {out.mutable_data(), static_cast<std::size_t>(count)});
    return out;
  });
}

}  // namespace deltarule::bindings
