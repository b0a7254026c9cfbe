#include <deltarule/engine/tangent.h>
#include <deltarule/layers/embedding.h>
#include <deltarule/simd/span.h>
#include <deltarule/simd/trigonometric.h>
#include <algorithm>
#include <numeric>

#include "columns.h"

namespace deltarule {
namespace engine {
namespace {

template <class T>
class PeriodicEmbeddingOp final : public Op<T>, public Tangent<T> {
  using P = simd::Pack<T>;

 public:
  PeriodicEmbeddingOp(Slot in, Slot out, std::vector<std::ptrdiff_t> chosen, Parameter<T> frequency,
                      std::ptrdiff_t count)
      : in_(in),
        out_(out),
        chosen_(std::move(chosen)),
        others_(in.columns, chosen_),
        frequency_(frequency),
        count_(count) {}
  std::string describe() const override {
    return "periodic_embedding of " + std::to_string(chosen_.size()) + " columns, " + std::to_string(count_) +
           " frequencies";
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      others_.take(x.at(i), y.at(i));
      for (std::size_t k = 0; k < chosen_.size(); ++k)
        simd::each<T>(length(), [&](auto span) {
          const P v = turns(x.at(i)[chosen_[k]], span.load(frequencies(k)));
          span.store(y.at(i) + place(k), simd::sin(v));
          span.store(y.at(i) + place(k) + count_, simd::cos(v));
        });
    }
  }
  // The sines and cosines that backward needs are the outputs.
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    const View<T> y = value_of(c, out_), dy = gradient_of(c, out_), dx = gradient_of(c, in_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      others_.put(dy.at(i), dx.at(i));
      for (std::size_t k = 0; k < chosen_.size(); ++k)
        dx.at(i)[chosen_[k]] = two_pi * simd::sum<T>(length(), [&](auto span) {
                                 return span.load(frequencies(k)) *
                                        angle_gradient(span, y.at(i) + place(k), dy.at(i) + place(k));
                               });
    }
  }

  int weight_tasks() const override { return static_cast<int>(chosen_.size()); }
  void weight_task(const Context<T>& c, int task) override {
    const auto k = static_cast<std::size_t>(task);
    const View<T> x = value_of(c, in_), y = value_of(c, out_), dy = gradient_of(c, out_);
    simd::each<T>(length(), [&](auto span) {
      P sum = P::zero();
      for (std::ptrdiff_t i = 0; i < c.rows; ++i)
        sum = simd::fma(P(x.at(i)[chosen_[k]]), angle_gradient(span, y.at(i) + place(k), dy.at(i) + place(k)),
                        sum);
      span.store(c.scratch, sum * P(two_pi));
    });
    finish_gradient(*this, *c.update, frequency_.offset + static_cast<std::ptrdiff_t>(k) * count_, count_,
                    c.scratch);
  }
  std::size_t scratch_size(std::ptrdiff_t) const override { return length(); }
  Work work() const override {
    const double waves = 20 * static_cast<double>(chosen_.size()) * static_cast<double>(count_);
    return {waves, waves, waves};
  }

  // Rv = 2 pi (Rc x + c Rx)
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> y = value_of(c, out_), rx = t.value(in_), ry = t.value(out_);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
      others_.take(rx.at(i), ry.at(i));
      each_angle(c, t, i, [&](std::size_t, std::ptrdiff_t, std::ptrdiff_t sine, double, double rv) {
        const std::ptrdiff_t cosine = sine + count_;
        ry.at(i)[sine] = static_cast<T>(static_cast<double>(y.at(i)[cosine]) * rv);
        ry.at(i)[cosine] = static_cast<T>(-static_cast<double>(y.at(i)[sine]) * rv);
      });
    }
  }
  // dv = ds cos v - dc sin v; 2 pi x dv for the frequency, 2 pi c dv for the input
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_), dy = gradient_of(c, out_), rx = t.value(in_),
                  rdy = t.gradient(out_);
    std::vector<double> products(chosen_.size() * length());
    std::vector<double> inputs(chosen_.size());
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
      std::fill(inputs.begin(), inputs.end(), 0.0);
      each_angle(c, t, i, [&](std::size_t k, std::ptrdiff_t m, std::ptrdiff_t at, double rc, double rv) {
        const auto of = [&](View<T> v, std::ptrdiff_t place) { return static_cast<double>(v.at(i)[place]); };
        const double sine = of(y, at), cosine = of(y, at + count_), ds = of(dy, at), dc = of(dy, at + count_);
        const double dv = ds * cosine - dc * sine;
        const double rdv =
            of(rdy, at) * cosine - of(rdy, at + count_) * sine - (ds * sine + dc * cosine) * rv;
        products[k * length() + static_cast<std::size_t>(m)] +=
            of(rx, chosen_[k]) * dv + of(x, chosen_[k]) * rdv;
        inputs[k] += rc * dv + static_cast<double>(frequencies(k)[m]) * rdv;
      });
      if (!in_.has_gradient()) continue;
      T* const target = t.gradient(in_).at(i);
      others_.put(rdy.at(i), target);
      for (std::size_t k = 0; k < chosen_.size(); ++k)
        target[chosen_[k]] = static_cast<T>(static_cast<double>(two_pi) * inputs[k]);
    }
    for (std::size_t p = 0; p < products.size(); ++p)
      t.product[frequency_.offset + static_cast<std::ptrdiff_t>(p)] =
          static_cast<T>(static_cast<double>(two_pi) * products[p]);
  }

 private:
  // f(chosen column, frequency, place of the sine in a row, Rc, Rv) of all angles of row i
  template <class F>
  void each_angle(const Context<T>& c, const Tangents<T>& t, std::ptrdiff_t i, F f) const {
    for (std::size_t k = 0; k < chosen_.size(); ++k) {
      const double x = static_cast<double>(value_of(c, in_).at(i)[chosen_[k]]),
                   rx = static_cast<double>(t.value(in_).at(i)[chosen_[k]]);
      const T* direction = t.direction + frequency_.offset + static_cast<std::ptrdiff_t>(k) * count_;
      for (std::ptrdiff_t m = 0; m < count_; ++m) {
        const double rc = static_cast<double>(direction[m]);
        const double rv =
            static_cast<double>(two_pi) * (rc * x + static_cast<double>(frequencies(k)[m]) * rx);
        f(k, m, place(k) + m, rc, rv);
      }
    }
  }
  static constexpr T two_pi = static_cast<T>(6.28318530717958647693);
  // 2 pi c x; whole turns are taken off before the factor 2 pi, which would round them.
  static P turns(T x, P frequency) {
    const P product = P(x) * frequency;
    T lanes[P::width];
    product.store(lanes);
    for (T& lane : lanes) lane -= std::nearbyint(lane);
    return P::load(lanes) * P(two_pi);
  }
  template <class Span>
  P angle_gradient(Span span, const T* y, const T* dy) const {
    return span.load(dy) * span.load(y + count_) - span.load(dy + count_) * span.load(y);
  }
  std::size_t length() const { return static_cast<std::size_t>(count_); }
  const T* frequencies(std::size_t k) const {
    return frequency_.data + static_cast<std::ptrdiff_t>(k) * count_;
  }
  std::ptrdiff_t place(std::size_t k) const {
    return others_.size() + 2 * count_ * static_cast<std::ptrdiff_t>(k);
  }

  Slot in_, out_;
  std::vector<std::ptrdiff_t> chosen_;
  OtherColumns others_;
  Parameter<T> frequency_;
  std::ptrdiff_t count_;
};

}  // namespace
}  // namespace engine

std::vector<std::ptrdiff_t> PeriodicEmbedding::chosen(std::ptrdiff_t input_width) const {
  auto columns = whole_numbers("columns");
  if (columns.empty()) {
    columns.resize(static_cast<std::size_t>(input_width));
    std::iota(columns.begin(), columns.end(), std::ptrdiff_t{0});
  }
  return columns;
}

std::ptrdiff_t PeriodicEmbedding::count_of(std::ptrdiff_t input_width) const {
  const auto columns = whole_numbers("columns");
  return columns.empty() ? input_width : static_cast<std::ptrdiff_t>(columns.size());
}

std::ptrdiff_t PeriodicEmbedding::build(std::ptrdiff_t input_width) {
  engine::check_columns("periodic_embedding", input_width, whole_numbers("columns"));
  const std::ptrdiff_t count = count_of(input_width);
  return input_width - count + 2 * count * static_cast<std::ptrdiff_t>(value("frequencies"));
}

std::vector<Tensor> PeriodicEmbedding::tensors() const {
  // LeCun's rule draws from N(0, 1/fan-in).
  const double deviation = value("deviation");
  return {{.name = "frequency",
           .rows = count_of(input_width()),
           .columns = static_cast<std::ptrdiff_t>(value("frequencies")),
           .table = true,
           .initializer = catalog::choose(Family::initializer, {"lecun_normal"}),
           .fans = {1 / (deviation * deviation), value("frequencies")}}};
}

template <class T>
void PeriodicEmbedding::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  lowering.now_trainable();
  const engine::Slot out = lowering.new_slot(output_width());
  lowering.add(std::make_unique<engine::PeriodicEmbeddingOp<T>>(
      in, out, chosen(in.columns), lowering.parameter("frequency"),
      static_cast<std::ptrdiff_t>(value("frequencies"))));
  lowering.input = out;
}
template void PeriodicEmbedding::lower_to(engine::Lowering<float>&) const;
template void PeriodicEmbedding::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
