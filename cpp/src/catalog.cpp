#include <deltarule/activations.h>
#include <deltarule/custom.h>
#include <deltarule/initializers.h>
#include <deltarule/layers.h>
#include <deltarule/losses.h>
#include <deltarule/metrics.h>
#include <deltarule/optimizers.h>
#include <deltarule/row_ops.h>
#include <deltarule/schedules.h>
#include <algorithm>
#include <cmath>
#include <utility>

#include "message_text.h"

namespace deltarule::catalog {
namespace {

// Insertions, deletions, substitutions, and two neighbours swapped.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto bar = text.find('|');
    parts.push_back(text.substr(0, bar));
    text = bar == std::string_view::npos ? std::string_view{} : text.substr(bar + 1);
  }
  return parts;
}

std::string number_list(std::span<const double> values) {
  std::string text = "(";
  for (const double v : values) text += (text.size() > 1 ? ", " : "") + number(v);
  return text + ")";
}

std::string given_text(const Setting& s) {
  if (s.list) return number_list(*s.list);
  return s.text.empty() ? number(s.value) : "'" + s.text + "'";
}

bool in_range(const Param& p, double value) {
  return (p.low_open ? value > p.low : value >= p.low) && (p.high_open ? value < p.high : value <= p.high);
}

bool whole(double value) {
  return value == std::floor(value) && std::abs(value) <= static_cast<double>(largest_whole);
}

bool legal_list(const Param& p, const Setting& s) {
  if (!s.text.empty()) return false;
  const auto legal = [&](double x) { return in_range(p, x) && (p.kind == Kind::real_list || whole(x)); };
  const std::size_t count = s.list ? s.list->size() : 1;
  return count >= p.shortest && count <= p.longest &&
         (s.list ? std::all_of(s.list->begin(), s.list->end(), legal) : legal(s.value));
}

std::string quoted_list(std::span<const std::string_view> names) {
  std::string text;
  for (const auto name : names) text += (text.empty() ? "'" : ", '") + std::string(name) + "'";
  return text;
}

}  // namespace

std::string_view family_name(Family family) {
  constexpr std::string_view names[] = {"activation",  "row_op",   "loss",   "optimizer",
                                        "initializer", "schedule", "metric", "layer"};
  return names[static_cast<std::size_t>(family)];
}

std::span<const Family> families() {
  static constexpr Family all[] = {Family::activation,  Family::row_op,   Family::loss,   Family::optimizer,
                                   Family::initializer, Family::schedule, Family::metric, Family::layer};
  return all;
}

std::span<const Entry* const> entries(Family family) {
  switch (family) {
    case Family::activation:
      return Activations::entries;
    case Family::row_op:
      return RowOps::entries;
    case Family::loss:
      return Losses::entries;
    case Family::optimizer:
      return Optimizers::entries;
    case Family::initializer:
      return Initializers::entries;
    case Family::schedule:
      return Schedules::entries;
    case Family::metric:
      return Metrics::entries;
    case Family::layer:
      return Layers::entries;
  }
  return {};
}

namespace {

// -1 where the catalogue has no such name or alias.
int own_index(Family family, std::string_view name) {
  const auto all = entries(family);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i]->name == name) return static_cast<int>(i);
    for (const auto alias : split(all[i]->aliases))
      if (alias == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

std::string suggestion(std::string_view given, std::span<const std::string_view> known) {
  if (given.size() > 200) return "";  // no slip of the finger, and the distances take time
  std::string small(given);           // as the catalogue writes names
  std::ranges::transform(small, small.begin(),
                         [](char c) { return 'A' <= c && c <= 'Z' ? char(c | 0x20) : c; });
  std::string_view best;
  std::size_t distance = std::max<std::size_t>(2, given.size() / 2);
  for (const auto name : known)
    if (const auto d = std::min(edit_distance(given, name), edit_distance(small, name));
        d < distance || (d == distance && best.empty() && d <= 2)) {
      best = name;
      distance = d;
    }
  return best.empty() ? "" : ", did you mean '" + std::string(best) + "'?";
}

const Entry& entry(Family family, int index) {
  return custom::is_custom(index) ? custom::entry(family, index)
                                  : *entries(family)[static_cast<std::size_t>(index)];
}

bool known(Family family, std::string_view name) { return own_index(family, name) >= 0; }

int find(Family family, std::string_view name) {
  if (const int own = own_index(family, name); own >= 0) return own;
  if (const int registered = custom::find(family, name); registered >= 0) return registered;
  std::vector<std::string_view> known = custom::names(family);
  for (const auto* entry : entries(family)) {
    known.push_back(entry->name);
    for (const auto alias : split(entry->aliases)) known.push_back(alias);
  }
  if (family == Family::activation)
    for (const Entry* layer : Layers::entries)
      if (layer->name == name)
        throw std::invalid_argument("'" + std::string(name) +
                                    "' is not an activation but a layer of its own; allowed: " +
                                    std::string(layer->class_name) + "() in the list of layers");
  const std::string guess = suggestion(name, known);
  throw std::invalid_argument("unknown " + std::string(family_name(family)) + " '" + excerpt(name, 200) +
                              "'" + (guess.empty() ? "; known: " + quoted_list(known) : guess));
}

std::string range_text(const Param& p) {
  if (p.kind == Kind::boolean) return "True or False";
  if (p.kind == Kind::choice) return "one of " + quoted_list(split(p.choices));
  std::string kind = p.kind == Kind::integer ? "a whole number" : "a number";
  if (is_list(p.kind)) {
    const std::string least = std::to_string(p.shortest), most = std::to_string(p.longest);
    kind = "a list of " + (least == most ? least : least + " to " + most) +
           (p.kind == Kind::integer_list ? " whole numbers" : " numbers");
    if (std::isfinite(p.low) || std::isfinite(p.high)) kind += ", each";
  }
  const std::string name(p.name);
  const bool low = std::isfinite(p.low), high = std::isfinite(p.high);
  if (!low && !high) return p.high_open || p.low_open ? "a finite number" : kind;
  std::string text;
  if (low) text += number(p.low) + (p.low_open ? " < " : " <= ");
  text += name;
  if (high) text += (p.high_open ? " < " : " <= ") + number(p.high);
  return kind + " with " + text;
}

Values resolve(const Entry& entry, std::span<const Setting> settings) {
  Values values{};
  for (std::size_t i = 0; i < entry.parameters.size(); ++i) {
    const Param& p = entry.parameters[i];
    values[i] = is_list(p.kind) ? static_cast<double>(p.list.size()) : p.value;
  }
  std::array<bool, max_parameters> given{};
  for (const Setting& s : settings) {
    const auto at = std::find_if(entry.parameters.begin(), entry.parameters.end(),
                                 [&](const Param& p) { return p.name == s.name; });
    if (at == entry.parameters.end()) {
      std::vector<std::string_view> known;
      for (const Param& p : entry.parameters) known.push_back(p.name);
      if (s.name == "learnable" && entry.name == "swish")
        throw std::invalid_argument(
            "swish: learnable is not allowed: an activation has nothing that trains; allowed: the layer "
            "LearnedSwish()");
      if (std::ranges::any_of(entry.parts, [&](const Part& part) { return part.name == s.name; }))
        throw std::invalid_argument(std::string(entry.name) + ": '" + s.name +
                                    "' is no setting but a part; allowed: in LayerSpec::parts");
      const std::string guess = suggestion(s.name, known);
      throw std::invalid_argument(std::string(entry.name) + ": unknown parameter '" + excerpt(s.name, 200) +
                                  "'" +
                                  (!guess.empty()  ? guess
                                   : known.empty() ? "; it has none"
                                                   : "; known: " + quoted_list(known)));
    }
    if (std::exchange(given[static_cast<std::size_t>(at - entry.parameters.begin())], true))
      throw std::invalid_argument(std::string(entry.name) + ": " + s.name + " is given twice");
    double value = s.value;
    bool legal = true;
    if (is_list(at->kind)) {
      legal = legal_list(*at, s);
      value = s.list ? static_cast<double>(s.list->size()) : 1;
    } else if (at->kind == Kind::choice) {
      const auto choices = split(at->choices);
      const auto found = std::find(choices.begin(), choices.end(), s.text);
      legal = found != choices.end();
      value = static_cast<double>(found - choices.begin());
    } else {
      // JSON has no infinity: there it is the text "inf".
      const bool endless = at->kind == Kind::real && s.text == "inf";
      if (endless) value = infinity;
      legal = (s.text.empty() || endless) && !s.list && in_range(*at, value);
      if (at->kind == Kind::integer) legal = legal && whole(value);
      if (at->kind == Kind::boolean) legal = s.text.empty() && !s.list && (value == 0 || value == 1);
    }
    if (!legal)
      throw std::invalid_argument(std::string(entry.name) + ": " + s.name + " = " + given_text(s) +
                                  " is not allowed; allowed: " + range_text(*at) +
                                  (at->kind == Kind::integer && !std::isfinite(at->high) &&
                                           value >= static_cast<double>(largest_whole)
                                       ? ", of at most " + std::to_string(largest_whole)
                                       : ""));
    values[static_cast<std::size_t>(at - entry.parameters.begin())] = value;
  }
  return values;
}

Lists resolve_lists(const Entry& entry, std::span<const Setting> settings) {
  Lists lists;
  for (std::size_t i = 0; i < entry.parameters.size(); ++i) {
    const Param& p = entry.parameters[i];
    if (!is_list(p.kind)) continue;
    lists.resize(entry.parameters.size());
    lists[i].assign(p.list.begin(), p.list.end());
    for (const Setting& s : settings)
      if (s.name == p.name) lists[i] = s.list ? *s.list : std::vector<double>{s.value};
  }
  return lists;
}

Choice choose(Family family, const Spec& spec) {
  const int index = find(family, spec.name);
  const Entry& found = entry(family, index);
  return {family, index, &found, resolve(found, spec.settings), resolve_lists(found, spec.settings)};
}

Choice choose_activation(const Spec& spec) {
  if (spec.name.empty()) return {};
  for (const auto* entry : entries(Family::row_op))
    if (entry->name == spec.name) return choose(Family::row_op, spec);
  return choose(Family::activation, spec);
}

std::vector<Setting> settings_of(const Entry& entry, const Values& values, const Lists& lists) {
  std::vector<Setting> settings;
  for (std::size_t i = 0; i < entry.parameters.size(); ++i) {
    const Param& p = entry.parameters[i];
    Setting s{std::string(p.name), values[i]};
    if (p.kind == Kind::choice) s.text = split(p.choices)[static_cast<std::size_t>(values[i])];
    if (is_list(p.kind)) s.list = lists[i];
    settings.push_back(std::move(s));
  }
  return settings;
}

Spec spec_of(const Choice& choice) {
  if (choice.index < 0) return {};
  return {std::string(choice.entry->name), settings_of(*choice.entry, choice.values, choice.lists)};
}

}  // namespace deltarule::catalog
