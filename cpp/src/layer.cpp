#include <deltarule/custom.h>
#include <deltarule/elementwise.h>
#include <deltarule/layers.h>
#include <deltarule/row_op_kernel.h>
#include <algorithm>
#include <limits>
#include <set>

#include "message_text.h"

namespace deltarule {
namespace {

// Only a layer of its own may make rows narrower.
void refuse_narrowing(const Entry& layer, const Part& part, const Choice& choice) {
  if (choice.family != Family::row_op || layer.name == "activation") return;
  const auto inputs = row_op_kernel<float>(choice.index).inputs_per_output;
  if (inputs == 1) return;
  const std::string name(choice.entry->name);
  throw std::invalid_argument(std::string(layer.name) + ": " + std::string(part.name) + " = '" + name +
                              "' halves the width and is not allowed here; allowed: twice the units, and an "
                              "Activation('" +
                              name + "') layer after this one");
}

}  // namespace

std::vector<double> initial_values(const Tensor& tensor, std::uint64_t seed, std::size_t number) {
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  initialize(tensor.initializer, tensor.fans, seed, static_cast<std::uint32_t>(number), values);
  return values;
}

template <class T>
std::string complaint(Allowed allowed, std::span<const T> numbers) {
  if (!all_finite(numbers.size(), numbers.data())) return "holds a number that is not finite";
  if (allowed == Allowed::any) return "";
  const bool zero = allowed == Allowed::not_negative;
  const auto wrong = std::ranges::find_if(numbers, [&](T x) { return zero ? x < 0 : x <= 0; });
  if (wrong == numbers.end()) return "";
  return "holds " + number(static_cast<double>(*wrong)) + "; allowed: numbers " + (zero ? ">= 0" : "> 0");
}
template std::string complaint(Allowed, std::span<const float>);
template std::string complaint(Allowed, std::span<const double>);

Layer::Layer(const Entry& entry, const LayerSpec& spec)
    : entry_(&entry),
      name_(spec.name),
      values_(catalog::resolve(entry, spec.settings)),
      lists_(catalog::resolve_lists(entry, spec.settings)) {
  if (entry.inner.kind == Inside::nothing && !spec.inside.empty())
    throw std::invalid_argument(std::string(entry.name) + ": takes no layers inside; " +
                                std::to_string(spec.inside.size()) + " chains were given");
  for (const auto& given : spec.parts) {
    const std::string& name = given.first;
    if (std::none_of(entry.parts.begin(), entry.parts.end(), [&](const Part& p) { return p.name == name; })) {
      std::vector<std::string_view> known;
      for (const Part& p : entry.parts) known.push_back(p.name);
      for (const Param& p : entry.parameters) known.push_back(p.name);
      throw std::invalid_argument(std::string(entry.name) + ": unknown parameter '" + excerpt(name, 200) +
                                  "'" + catalog::suggestion(name, known));
    }
  }
  for (const Part& p : entry.parts) {
    const auto given = spec.parts.find(std::string(p.name));
    const Spec chosen = given == spec.parts.end() ? Spec{std::string(p.value), {}} : given->second;
    part_names_.push_back(chosen.name);
    if (p.family == Family::activation) {
      parts_.push_back(catalog::choose_activation(chosen));
      refuse_narrowing(entry, p, parts_.back());
    } else if (chosen.name.empty() || chosen.name == "auto")
      parts_.push_back(Choice{.family = p.family});
    else
      parts_.push_back(catalog::choose(p.family, chosen));
  }
}

void Layer::check_input(std::ptrdiff_t, const float*, std::ptrdiff_t) const {}
void Layer::check_input(std::ptrdiff_t, const double*, std::ptrdiff_t) const {}

LayerSpec Layer::spec() const {
  LayerSpec spec{std::string(entry_->name), name_, catalog::settings_of(*entry_, values_, lists_), {}, {}};
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].index >= 0)
      spec.parts[std::string(entry_->parts[i].name)] = catalog::spec_of(parts_[i]);
    else if (!part_names_[i].empty())
      spec.parts[std::string(entry_->parts[i].name)] = {part_names_[i], {}};
  }
  return spec;
}

double Layer::value(std::string_view parameter) const {
  for (std::size_t i = 0; i < entry_->parameters.size(); ++i)
    if (entry_->parameters[i].name == parameter) return values_[i];
  throw std::logic_error("no parameter " + std::string(parameter));
}

std::vector<std::ptrdiff_t> Layer::whole_numbers(std::string_view parameter) const {
  for (std::size_t i = 0; i < entry_->parameters.size(); ++i)
    if (entry_->parameters[i].name == parameter) return {lists_[i].begin(), lists_[i].end()};
  throw std::logic_error("no parameter " + std::string(parameter));
}

const Choice& Layer::part(std::string_view name) const {
  for (std::size_t i = 0; i < entry_->parts.size(); ++i)
    if (entry_->parts[i].name == name) return parts_[i];
  throw std::logic_error("no part " + std::string(name));
}

Choice Layer::activation() const {
  for (std::size_t i = 0; i < entry_->parts.size(); ++i)
    if (entry_->parts[i].name == "activation") return parts_[i];
  return {};
}

void Layer::forget_activation() {
  for (std::size_t i = 0; i < entry_->parts.size(); ++i)
    if (entry_->parts[i].name == "activation") parts_[i] = Choice{.family = entry_->parts[i].family};
}

Choice Layer::initializer(std::string_view part_name) const {
  const Choice& given = part(part_name);
  if (given.index >= 0) return given;
  const Choice own = activation();
  return catalog::choose(Family::initializer,
                         automatic_initializer(own.name().empty() ? next_activation : own, reads_inputs));
}

std::unique_ptr<Layer> make_layer(const LayerSpec& spec) {
  const int index = catalog::find(Family::layer, spec.type);
  if (custom::is_custom(index)) return custom::make_layer(index, spec);
  std::unique_ptr<Layer> layer;
  Layers::each([&]<class L>(std::size_t i) {
    if (static_cast<int>(i) == index) layer = std::make_unique<L>(spec);
  });
  return layer;
}

void name_layers(std::span<const Chain> chains) {
  std::map<std::string_view, int> counts;
  std::set<std::string> names;
  for (const Chain& chain : chains)
    for (const auto& layer : chain) {
      if (layer->name().empty()) {
        const std::string_view type = layer->entry().name;
        do layer->rename(std::string(type) + "_" + std::to_string(++counts[type]));
        while (names.contains(layer->name()));
      }
      if (layer->name().find('.') != std::string::npos)
        throw std::invalid_argument("network: layer name '" + layer->name() + "' must not contain a dot");
      if (!names.insert(layer->name()).second)
        throw std::invalid_argument("network: two layers are called '" + layer->name() +
                                    "'; names must differ");
    }
}

// Only what passes values on unchanged in kind may stand between a layer and "its" activation, which is a
// layer of its own.
void link_activations(const Chain& chain, const Choice& after, bool reads_inputs) {
  for (const auto& layer : chain) {
    layer->reads_inputs = reads_inputs;
    reads_inputs = reads_inputs && !layer->makes_columns();
  }
  Choice next = after;
  for (auto layer = chain.rbegin(); layer != chain.rend(); ++layer) {
    (*layer)->next_activation = next;
    if ((*layer)->makes_columns())
      next = {};
    else if (!(*layer)->activation().name().empty())
      next = (*layer)->activation();
  }
}

std::ptrdiff_t build_chain(const Chain& chain, std::ptrdiff_t input_width, Shape input_shape) {
  // Far beyond what fits into memory, and small enough that products of two cannot overflow.
  constexpr std::ptrdiff_t widest = std::numeric_limits<std::int32_t>::max();
  const auto check = [](const Layer& layer, const char* side, std::ptrdiff_t width) {
    if (width > widest)
      throw std::invalid_argument("layer '" + layer.name() + "' has " + std::to_string(width) + " " + side +
                                  "; allowed: at most " + std::to_string(widest));
  };
  for (const auto& layer : chain) {
    check(*layer, "inputs", input_width);
    layer->set_input_shape(input_shape);
    const std::ptrdiff_t output_width = layer->build(input_width);
    check(*layer, "outputs", output_width);
    layer->set_widths(input_width, output_width);
    input_width = output_width;
    input_shape = layer->output_shape();
  }
  return input_width;
}

std::vector<Tensor> tensors_of(const Chain& chain) {
  std::vector<Tensor> list;
  for (const auto& layer : chain)
    for (Tensor t : layer->tensors()) {
      t.layer = layer->name() + (t.layer.empty() ? "" : ".") + t.layer;
      t.name = layer->name() + "." + t.name;
      if (!t.lengths_of.empty()) t.lengths_of = layer->name() + "." + t.lengths_of;
      list.push_back(std::move(t));
    }
  return list;
}

}  // namespace deltarule
