#include <deltarule/activations/scalars.h>
#include <deltarule/engine/reduce.h>
#include <deltarule/engine/tangent.h>
#include <deltarule/layers/learned.h>
#include <deltarule/simd/math.h>
#include <array>
#include <numeric>

#include "common.h"

namespace deltarule {
namespace engine {
namespace {

constexpr std::size_t most_learned = 2;
constexpr std::ptrdiff_t task_columns = 64;

// First and second derivatives at one point: by x, and by the parameters.
struct Bends {
  double x = 0, xx = 0, p[most_learned] = {}, xp[most_learned] = {}, pp[most_learned][most_learned] = {};
};

// f = x sigma(a x + c) in terms of the parameters (a, c).
Bends gate_bends(double a, double c, double x) {
  const double z = activations::bounded(a * x + c, 800);
  const double s1 = activations::logistic_slope(z), s2 = s1 * activations::logistic_bend(z);
  const double t1 = x * s1, t2 = x * s2;
  return {.x = activations::logistic(z) + a * t1,
          .xx = a * (2 * s1 + a * t2),
          .p = {x * t1, t1},
          .xp = {2 * t1 + a * x * t2, s1 + a * t2},
          .pp = {{x * x * t2, x * t2}, {x * t2, t2}}};
}

// A rule gives, of one number: the value, dy through it, and dy times the derivative by parameter k. Products
// with x come last, so that a gradient of 0 stays 0.
template <class T>
struct PReLURule {
  using P = simd::Pack<T>;
  static constexpr std::size_t count = 1;
  using Learned = std::array<P, count>;
  static P forward(const Learned& p, P x) { return simd::select(x > P(0), x, p[0] * x); }
  static P backward(const Learned& p, P x, P dy) { return simd::select(x > P(0), dy, p[0] * dy); }
  static P term(std::size_t, const Learned&, P x, P dy) { return simd::select(x > P(0), P(0), dy * x); }
  static Bends bends(const double* p, double x) {
    if (x > 0) return {.x = 1};
    return {.x = p[0], .p = {x}, .xp = {1}};
  }
};

template <class T>
struct LearnedSwishRule {
  using P = simd::Pack<T>;
  static constexpr std::size_t count = 1;
  using Learned = std::array<P, count>;
  static auto argument(const Learned& p, P x) {
    return simd::exponent_argument(simd::exact_product(p[0], x));
  }
  static P forward(const Learned& p, P x) { return simd::times_logistic(x, argument(p, x)); }
  static P backward(const Learned& p, P x, P dy) {
    const auto z = argument(p, x);
    return dy * simd::times_logistic_slope(z, z.high);
  }
  static P term(std::size_t, const Learned& p, P x, P dy) {
    return dy * (x * simd::logistic_slope(argument(p, x)).rounded()) * x;
  }
  static Bends bends(const double* p, double x) { return gate_bends(p[0], 0, x); }
};

// alpha(x) < 1: the greater of alpha(x) x and x is x for x > 0 and alpha(x) x otherwise.
template <class T>
struct AdaptiveReLURule {
  using P = simd::Pack<T>;
  static constexpr std::size_t count = 2;
  using Learned = std::array<P, count>;
  static auto argument(const Learned& p, P x) {
    return simd::exponent_argument(simd::exact_product(p[0], x) + simd::Pair<P>{p[1], P::zero()});
  }
  static P forward(const Learned& p, P x) {
    return simd::select(x > P(0), x, simd::logistic(argument(p, x)) * x);
  }
  static P backward(const Learned& p, P x, P dy) {
    const auto z = argument(p, x);
    const P slope = simd::logistic(z) + p[0] * (x * simd::logistic_slope(z).rounded());
    return simd::select(x > P(0), dy, dy * slope);
  }
  static P term(std::size_t k, const Learned& p, P x, P dy) {
    const P t = dy * (x * simd::logistic_slope(argument(p, x)).rounded());
    return simd::select(x > P(0), P(0), k == 0 ? t * x : t);
  }
  static Bends bends(const double* p, double x) {
    if (x > 0) return {.x = 1};
    return gate_bends(p[0], p[1], x);
  }
};

template <class T, class Rule>
class LearnedOp final : public Op<T>, public Tangent<T> {
  using P = simd::Pack<T>;
  using Learned = typename Rule::Learned;

 public:
  LearnedOp(std::string_view name, Slot in, Slot out, const std::array<Parameter<T>, Rule::count>& learned,
            bool shared)
      : name_(name), in_(in), out_(out), learned_(learned), shared_(shared), width_(in.columns) {}
  std::string describe() const override {
    return name_ + " " + std::to_string(width_) + (shared_ ? ", shared" : "");
  }
  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(columns(), [&](auto span) {
        span.store(y.at(i), Rule::forward(learned(span), span.load(x.at(i))));
      });
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_), dx = gradient_of(c, in_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(columns(), [&](auto span) {
        span.store(dx.at(i), Rule::backward(learned(span), span.load(x.at(i)), span.load(dy.at(i))));
      });
  }
  int weight_tasks() const override {
    return shared_ ? 1 : static_cast<int>((width_ + task_columns - 1) / task_columns);
  }
  void weight_task(const Context<T>& c, int task) override {
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_);
    const std::ptrdiff_t first = task * task_columns,
                         columns = shared_ ? width_ : std::min(task_columns, width_ - first);
    const auto sums = [&](std::size_t k) { return c.scratch + static_cast<std::ptrdiff_t>(k) * row(); };
    for (std::size_t k = 0; k < Rule::count; ++k) {
      column_sums<T>(c.rows, columns, sums(k), [&](std::ptrdiff_t i, auto span) {
        return Rule::term(k, learned(span, first), span.load(x.at(i) + first), span.load(dy.at(i) + first));
      });
      if (shared_)
        *sums(k) = static_cast<T>(std::accumulate(sums(k), sums(k) + width_, 0.0, [](double sum, T term) {
          return sum + static_cast<double>(term);
        }));
    }
    for (std::size_t k = 0; k < Rule::count; ++k)  // not before all of them are known
      finish_gradient(*this, *c.update, learned_[k].offset + first, shared_ ? 1 : columns, sums(k));
  }
  std::size_t scratch_size(std::ptrdiff_t) const override {
    return Rule::count * static_cast<std::size_t>(row());
  }
  Work work() const override {
    const auto each = static_cast<double>(width_);
    return {5 * each, 5 * each, 10 * each};
  }

  // f'(x) Rx + sum of the derivatives by the parameters times their directions
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> x = value_of(c, in_), rx = t.value(in_), ry = t.value(out_);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t j = 0; j < width_; ++j) {
        const Bends b = bends(x.at(i)[j], j);
        double r = b.x * static_cast<double>(rx.at(i)[j]);
        for (std::size_t k = 0; k < Rule::count; ++k) r += b.p[k] * direction(t, k, j);
        ry.at(i)[j] = static_cast<T>(r);
      }
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_), rx = t.value(in_), rdy = t.gradient(out_);
    const auto parameters = static_cast<std::size_t>(shared_ ? 1 : width_);
    std::vector<double> products(Rule::count * parameters);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t j = 0; j < width_; ++j) {
        const Bends b = bends(x.at(i)[j], j);
        const double g = static_cast<double>(dy.at(i)[j]), rg = static_cast<double>(rdy.at(i)[j]),
                     r = static_cast<double>(rx.at(i)[j]);
        double slope = b.xx * r;  // R of the derivative by x
        for (std::size_t k = 0; k < Rule::count; ++k) {
          slope += b.xp[k] * direction(t, k, j);
          double term = b.xp[k] * r;  // R of that by parameter k
          for (std::size_t l = 0; l < Rule::count; ++l) term += b.pp[k][l] * direction(t, l, j);
          products[k * parameters + (shared_ ? 0 : static_cast<std::size_t>(j))] += rg * b.p[k] + g * term;
        }
        if (in_.has_gradient()) t.gradient(in_).at(i)[j] = static_cast<T>(rg * b.x + g * slope);
      }
    for (std::size_t k = 0; k < Rule::count; ++k)
      for (std::size_t j = 0; j < parameters; ++j)
        t.product[learned_[k].offset + static_cast<std::ptrdiff_t>(j)] =
            static_cast<T>(products[k * parameters + j]);
  }

 private:
  std::size_t columns() const { return static_cast<std::size_t>(width_); }
  std::ptrdiff_t row() const { return padded<T>(shared_ ? width_ : std::min(task_columns, width_)); }
  std::ptrdiff_t place(std::ptrdiff_t column) const { return shared_ ? 0 : column; }
  template <class Span>
  Learned learned(Span span, std::ptrdiff_t first = 0) const {
    Learned p;
    for (std::size_t k = 0; k < Rule::count; ++k)
      p[k] = shared_ ? P(*learned_[k].data) : span.load(learned_[k].data + first);
    return p;
  }
  double direction(const Tangents<T>& t, std::size_t k, std::ptrdiff_t column) const {
    return static_cast<double>(t.direction[learned_[k].offset + place(column)]);
  }
  Bends bends(T x, std::ptrdiff_t column) const {
    double p[Rule::count];
    for (std::size_t k = 0; k < Rule::count; ++k) p[k] = static_cast<double>(learned_[k].data[place(column)]);
    return Rule::bends(p, static_cast<double>(x));
  }

  std::string name_;
  Slot in_, out_;
  std::array<Parameter<T>, Rule::count> learned_;
  bool shared_;
  std::ptrdiff_t width_;
};

template <template <class> class Rule, class T>
void lower_learned(Lowering<T>& lowering, const Layer& layer,
                   const std::array<Parameter<T>, Rule<T>::count>& learned, bool shared) {
  const Slot in = lowering.input;
  lowering.now_trainable();
  const Slot out = lowering.new_slot(in.columns);  // dy is needed again, for the parameters
  lowering.add(std::make_unique<LearnedOp<T, Rule<T>>>(layer.entry().name, in, out, learned, shared));
  lowering.input = out;
}

}  // namespace
}  // namespace engine

Tensor LearnedActivation::parameter(std::string name, double initial, bool shared) const {
  return {.name = std::move(name),
          .rows = 1,
          .columns = shared ? 1 : input_width(),
          .vector = true,
          .role = Role::gain,
          .initializer = catalog::choose(Family::initializer, {"constant", {{"value", initial}}})};
}

std::vector<Tensor> PReLU::tensors() const {
  return {parameter("alpha", value("alpha"), value("shared") != 0)};
}

template <class T>
void PReLU::lower_to(engine::Lowering<T>& lowering) const {
  engine::lower_learned<engine::PReLURule, T>(lowering, *this, {lowering.parameter("alpha")},
                                              value("shared") != 0);
}
template void PReLU::lower_to(engine::Lowering<float>&) const;
template void PReLU::lower_to(engine::Lowering<double>&) const;

std::vector<Tensor> AdaptiveReLU::tensors() const {
  const double alpha = value("alpha");
  return {parameter("steepness", 0, false), parameter("offset", logit(alpha), false)};
}

template <class T>
void AdaptiveReLU::lower_to(engine::Lowering<T>& lowering) const {
  engine::lower_learned<engine::AdaptiveReLURule, T>(
      lowering, *this, {lowering.parameter("steepness"), lowering.parameter("offset")}, false);
}
template void AdaptiveReLU::lower_to(engine::Lowering<float>&) const;
template void AdaptiveReLU::lower_to(engine::Lowering<double>&) const;

std::vector<Tensor> LearnedSwish::tensors() const {
  return {parameter("beta", value("beta"), value("shared") != 0)};
}

template <class T>
void LearnedSwish::lower_to(engine::Lowering<T>& lowering) const {
  engine::lower_learned<engine::LearnedSwishRule, T>(lowering, *this, {lowering.parameter("beta")},
                                                     value("shared") != 0);
}
template void LearnedSwish::lower_to(engine::Lowering<float>&) const;
template void LearnedSwish::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
