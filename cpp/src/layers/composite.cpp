#include <deltarule/engine/tangent.h>
#include <deltarule/layers/composite.h>
#include <deltarule/simd/span.h>
#include <algorithm>

namespace deltarule {
namespace engine {
namespace {

using simd::Pack;

enum class Merge { sum, concat, mean };  // in the order of the choices of Branches

// Where several read a value: forward there is nothing to do, backward their gradients are added.
template <class T>
class ForkOp final : public Op<T>, public Tangent<T> {
 public:
  explicit ForkOp(Slot in) : in_(in) { this->output = in.value; }
  void add(Slot reader) { readers_.push_back(reader.gradient); }
  std::string describe() const override {
    return "sum of " + std::to_string(readers_.size()) + " gradients of " + std::to_string(in_.columns);
  }
  bool backward_only() const override { return true; }
  void forward(const Context<T>&, const Tile&) override {}
  void backward(const Context<T>& c, const Tile& tile) override { add_up(c.gradients, tile); }
  // It is linear: tangents take the same way.
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>&, const Tangents<T>&) override {}
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    add_up(t.gradients, {0, c.rows, 0});
  }

 private:
  void add_up(std::span<const View<T>> gradients, const Tile& tile) const {
    const View<T> d = gradients[static_cast<std::size_t>(in_.gradient)];
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(in_.columns), [&](auto span) {
        Pack<T> total = span.load(gradients[static_cast<std::size_t>(readers_[0])].at(i));
        for (std::size_t k = 1; k < readers_.size(); ++k)
          total += span.load(gradients[static_cast<std::size_t>(readers_[k])].at(i));
        span.store(d.at(i), total);
      });
  }

  Slot in_;
  std::vector<int> readers_;  // numbers of their gradients
};

template <class T>
class MergeOp final : public Op<T>, public Tangent<T> {
 public:
  MergeOp(std::vector<Slot> ends, Slot out, Merge merge) : ends_(std::move(ends)), out_(out), merge_(merge) {}
  std::string describe() const override {
    std::string widths;
    for (const Slot& s : ends_) widths += (widths.empty() ? "" : " + ") + std::to_string(s.columns);
    constexpr const char* names[] = {"sum of ", "side by side ", "mean of "};
    return names[static_cast<std::size_t>(merge_)] + widths;
  }
  void forward(const Context<T>& c, const Tile& tile) override { merge(c.values, tile); }
  void backward(const Context<T>& c, const Tile& tile) override { split(c.gradients, tile); }
  // It is linear: tangents take the same way.
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    merge(t.values, {0, c.rows, 0});
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    split(t.gradients, {0, c.rows, 0});
  }

 private:
  void merge(std::span<const View<T>> values, const Tile& tile) const {
    const View<T> y = values[static_cast<std::size_t>(out_.value)];
    const auto of = [&](const Slot& s) { return values[static_cast<std::size_t>(s.value)]; };
    if (merge_ == Merge::concat) {
      std::ptrdiff_t at = 0;
      for (const Slot& s : ends_) {
        for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
          std::copy_n(of(s).at(i), s.columns, y.at(i) + at);
        at += s.columns;
      }
      return;
    }
    const Pack<T> count(merge_ == Merge::mean ? static_cast<T>(ends_.size()) : T(1));
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(out_.columns), [&](auto span) {
        Pack<T> total = span.load(of(ends_[0]).at(i));
        for (std::size_t k = 1; k < ends_.size(); ++k) total += span.load(of(ends_[k]).at(i));
        span.store(y.at(i), total / count);
      });
  }
  // Each chain gets its part of dy in a buffer of its own: what it makes of it in place concerns nobody else.
  void split(std::span<const View<T>> gradients, const Tile& tile) const {
    if (!out_.has_gradient()) return;
    const View<T> g = gradients[static_cast<std::size_t>(out_.gradient)];
    const Pack<T> count(merge_ == Merge::mean ? static_cast<T>(ends_.size()) : T(1));
    std::ptrdiff_t at = 0;
    for (const Slot& s : ends_) {
      const std::ptrdiff_t from = at;
      if (merge_ == Merge::concat) at += s.columns;
      if (!s.has_gradient()) continue;
      const View<T> d = gradients[static_cast<std::size_t>(s.gradient)];
      for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
        if (merge_ == Merge::mean)
          simd::each<T>(static_cast<std::size_t>(s.columns),
                        [&](auto span) { span.store(d.at(i), span.load(g.at(i)) / count); });
        else
          std::copy_n(g.at(i) + from, s.columns, d.at(i));
      }
    }
  }

  std::vector<Slot> ends_;
  Slot out_;
  Merge merge_;
};

// With `skip` the input itself is one of the terms; it takes dy as it is.
template <class T>
void lower_chains(Lowering<T>& lowering, const Layer& layer, Merge merge, bool skip) {
  const Slot in = lowering.input;
  ForkOp<T>* fork = nullptr;
  if (in.has_gradient()) {
    auto op = std::make_unique<ForkOp<T>>(in);
    fork = op.get();
    lowering.add(std::move(op));
  }
  std::vector<Slot> ends;
  if (skip) ends.push_back({in.columns, in.value, -1});
  for (const Chain& chain : layer.inside()) {
    lowering.input = lowering.branch(in);
    if (fork) fork->add(lowering.input);
    for (const auto& inner : chain) lowering.lower(*inner);
    ends.push_back(lowering.input);
  }
  if (std::any_of(ends.begin(), ends.end(), [](const Slot& s) { return s.has_gradient(); }))
    lowering.now_trainable();
  const Slot out = lowering.new_slot(layer.output_width());
  if (fork && skip) fork->add(out);
  lowering.add(std::make_unique<MergeOp<T>>(std::move(ends), out, merge));
  lowering.input = out;
}

}  // namespace
}  // namespace engine

Composite::Composite(const Entry& entry, const LayerSpec& spec) : Layer(entry, spec) {
  const std::string what = std::string(entry.name) + ": " + std::string(entry.inner.name);
  if (spec.inside.empty()) throw std::invalid_argument(what + " is missing");
  if (entry.inner.kind != Inside::branches &&
      (spec.inside.size() > 1 || spec.inside[0].empty() ||
       (entry.inner.kind == Inside::layer && spec.inside[0].size() > 1)))
    throw std::invalid_argument(
        what + (spec.inside[0].empty() ? " has no layers" : " has several layers side by side") +
        "; allowed: " + (entry.inner.kind == Inside::layer ? "one layer" : "one list of layers, not empty"));
  for (const auto& chain : spec.inside) {
    Chain& made = chains_.emplace_back();
    for (const LayerSpec& inner : chain) {
      made.push_back(make_layer(inner));
      if (made.back()->must_be_first())
        throw std::invalid_argument(what + ": a layer of the kind '" + inner.type +
                                    "' must be the first of the network, not inside another");
    }
  }
  name_layers(chains_);
}

Composite::Composite(const Composite& other) : Layer(other) {
  for (const Chain& chain : other.chains_) {
    Chain& copy = chains_.emplace_back();
    for (const auto& inner : chain) copy.push_back(inner->clone());
  }
}

std::ptrdiff_t Composite::build(std::ptrdiff_t input_width) {
  std::vector<std::ptrdiff_t> widths;
  for (const Chain& chain : chains_) {
    link_activations(chain, next_activation, reads_inputs);
    widths.push_back(build_chain(chain, input_width, input_shape()));
  }
  return merged_width(input_width, widths);
}

std::vector<Tensor> Composite::tensors() const {
  std::vector<Tensor> list;
  for (const Chain& chain : chains_)
    for (Tensor& t : tensors_of(chain)) list.push_back(std::move(t));
  return list;
}

LayerSpec Composite::spec() const {
  LayerSpec spec = Layer::spec();
  for (const Chain& chain : chains_) {
    auto& inner = spec.inside.emplace_back();
    for (const auto& layer : chain) inner.push_back(layer->spec());
  }
  return spec;
}

std::ptrdiff_t Residual::merged_width(std::ptrdiff_t input_width,
                                      std::span<const std::ptrdiff_t> widths) const {
  if (widths[0] != input_width)
    throw std::invalid_argument("residual: the block of '" + name() + "' makes " + std::to_string(widths[0]) +
                                " outputs of " + std::to_string(input_width) +
                                " inputs; allowed: as many outputs as inputs, because they are added");
  return input_width;
}

template <class T>
void Residual::lower_to(engine::Lowering<T>& lowering) const {
  engine::lower_chains(lowering, *this, engine::Merge::sum, true);
}
template void Residual::lower_to(engine::Lowering<float>&) const;
template void Residual::lower_to(engine::Lowering<double>&) const;

std::ptrdiff_t Branches::merged_width(std::ptrdiff_t, std::span<const std::ptrdiff_t> widths) const {
  const bool concat = static_cast<engine::Merge>(value("merge")) == engine::Merge::concat;
  std::ptrdiff_t sum = 0;
  for (const std::ptrdiff_t width : widths) {
    sum += width;
    if (!concat && width != widths[0])
      throw std::invalid_argument("branches: the branches of '" + name() + "' have " +
                                  std::to_string(widths[0]) + " and " + std::to_string(width) +
                                  " outputs; allowed: the same number in all, or merge = 'concat'");
  }
  return concat ? sum : widths[0];
}

template <class T>
void Branches::lower_to(engine::Lowering<T>& lowering) const {
  engine::lower_chains(lowering, *this, static_cast<engine::Merge>(value("merge")), false);
}
template void Branches::lower_to(engine::Lowering<float>&) const;
template void Branches::lower_to(engine::Lowering<double>&) const;

LayerSpec residual(std::vector<LayerSpec> block) {
  LayerSpec spec{std::string(Residual::entry.name), {}, {}, {}, {}};
  spec.inside.push_back(std::move(block));
  return spec;
}

LayerSpec branches(std::vector<std::vector<LayerSpec>> chains, const std::string& merge) {
  return {std::string(Branches::entry.name), {}, {{"merge", 0, merge}}, {}, std::move(chains)};
}

}  // namespace deltarule
