#include <deltarule/custom.h>
#include <deltarule/engine/gemm.h>
#include <deltarule/loss_kernel.h>
#include <deltarule/losses.h>

#include "lent_buffer.h"

namespace deltarule {
namespace {

template <class Loss, class T>
double row_by_element(const Broadcast<simd::Pack<T>>& p, std::size_t n, const T* y, const T* t, double scale,
                      T* gradient) {
  using P = simd::Pack<T>;
  const double share = Loss::averaged ? 1 / static_cast<double>(n) : 1.0;
  const P factor(static_cast<T>(scale * share));
  const T value = simd::sum<T>(n, [&](auto span) {
    P v, g;
    Loss::element(p, span.load(y), span.load(t), v, g);
    span.store(gradient, factor * g);
    return v;
  });
  return static_cast<double>(value) * share;
}

// Numbers that lie one after the other, and back to where each has a row of its own.
template <class T>
const T* gather(std::size_t rows, const T* from, std::ptrdiff_t row, T* to) {
  if (row == 1) return from;
  for (std::size_t i = 0; i < rows; ++i, from += row) to[i] = *from;
  return to;
}
template <class T>
void scatter(std::size_t rows, const T* from, T* to, std::ptrdiff_t row) {
  for (std::size_t i = 0; i < rows; ++i, to += row) *to = from[i];
}

// All rows at once, where they are short and lie side by side or hold one number each; the sums in the order
// of row_by_element.
template <class Loss, class T>
void short_rows(const Broadcast<simd::Pack<T>>& p, const LossRows<T>& in, double scale, double* value,
                T* gradient, std::ptrdiff_t gradient_row) {
  using P = simd::Pack<T>;
  constexpr std::size_t most = 1024;
  const std::size_t n = in.outputs, step = most / n;
  const double share = Loss::averaged ? 1 / static_cast<double>(n) : 1.0;
  const P factor(static_cast<T>(scale * share));
  T values[most], predictions[most], targets[most], slopes[most];
  for (std::size_t begin = 0; begin < in.rows; begin += step) {
    const std::size_t rows = std::min(step, in.rows - begin);
    const auto first = static_cast<std::ptrdiff_t>(begin);
    const T* y = in.prediction + first * in.prediction_row;
    const T* t = in.target + first * in.target_row;
    T* const to = gradient + first * gradient_row;
    if (n == 1) {
      y = gather(rows, y, in.prediction_row, predictions);
      t = gather(rows, t, in.target_row, targets);
    }
    T* const g = n > 1 || gradient_row == 1 ? to : slopes;
    simd::each<T>(rows * n, [&](auto span) {
      P v, slope;
      Loss::element(p, span.load(y), span.load(t), v, slope);
      span.store(g, factor * slope);
      span.store(values, v);
    });
    if (g != to) scatter(rows, slopes, to, gradient_row);
    for (std::size_t i = 0; i < rows; ++i) {
      const T* own = values + i * n;
      value[begin + i] =
          n == 1 ? static_cast<double>(*own) * share
                 : static_cast<double>(simd::sum<T>(n, [&](auto span) { return span.load(own); })) * share;
    }
  }
}

// The losses of some rows from their terms.
class LogTerms {
 public:
  static constexpr std::size_t most = 32;
  void set(std::size_t i, LogTerm term, double weight) {
    plain_[i] = term.plain;
    factor_[i] = term.factor;
    own_[i] = term.own;
    rest_[i] = term.rest;
    weight_[i] = weight;
  }
  void finish(std::size_t rows, double* value) const {
    using P = simd::Pack<double>;
    simd::each<double>(rows, [&](auto span) {
      const P own = span.load(own_), rest = span.load(rest_);
      const P logarithm = simd::select(own == P(1), simd::log1p(rest), simd::log(own + rest));
      span.store(value, span.load(weight_) * (span.load(plain_) + span.load(factor_) * logarithm));
    });
  }

 private:
  double plain_[most], factor_[most], own_[most], rest_[most], weight_[most];
};

template <class Loss, class T>
auto row(const Values& values, const LossRows<T>& in, std::size_t i, double scale, T* gradient) {
  const auto r = static_cast<std::ptrdiff_t>(i);
  const T* y = in.prediction + r * in.prediction_row;
  if constexpr (Loss::entry.target == Target::label)
    return Loss::template row<T>(values, in.outputs, y, in.label[i], scale, gradient);
  else
    return Loss::template row<T>(values, in.outputs, y, in.target + r * in.target_row, scale, gradient);
}

// So many rows from the i-th on as a register has lanes, at once, where none is absent; false, and nothing
// done, where one is.
template <class Loss, class T>
bool turned_rows(const LossRows<T>& in, std::size_t i, double scale, T* gradient, std::ptrdiff_t gradient_row,
                 LogTerms& terms) {
  constexpr std::size_t width = simd::Pack<T>::width;
  constexpr auto side = static_cast<std::ptrdiff_t>(width);
  alignas(64) T labels[width], block[simd::most_columns * width];
  double weights[width], scales[width];
  LogTerm found[width];
  for (std::size_t r = 0; r < width; ++r) {
    weights[r] = row_weight(in, i + r);
    if (weights[r] == 0) return false;
    scales[r] = scale * weights[r];
    labels[r] = static_cast<T>(in.label[i + r]);
  }
  const auto n = static_cast<std::ptrdiff_t>(in.outputs), first = static_cast<std::ptrdiff_t>(i);
  engine::transpose<T>(side, n, in.prediction + first * in.prediction_row, in.prediction_row, block, side);
  Loss::template columns<T>(in.outputs, labels, scales, block, found);
  engine::transpose<T>(n, side, block, side, gradient + first * gradient_row, gradient_row);
  for (std::size_t r = 0; r < width; ++r) terms.set((i + r) % LogTerms::most, found[r], weights[r]);
  return true;
}

template <class Loss, class T>
void run(const Values& values, const LossRows<T>& in, double scale, double* value, T* gradient,
         std::ptrdiff_t gradient_row) {
  constexpr bool by_element = requires { Loss::averaged; };
  [[maybe_unused]] Broadcast<simd::Pack<T>> p;
  [[maybe_unused]] LogTerms terms;
  if constexpr (by_element) {
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = simd::Pack<T>(static_cast<T>(values[i]));
    const auto n = static_cast<std::ptrdiff_t>(in.outputs);
    const bool side_by_side = in.prediction_row == n && in.target_row == n && gradient_row == n;
    const bool short_enough = n == 1 || (side_by_side && n > 0 && n < 4 * simd::Pack<T>::width);
    if (short_enough && !in.weight && !in.label)
      return short_rows<Loss, T>(p, in, scale, value, gradient, gradient_row);
  }
  for (std::size_t i = 0; i < in.rows; ++i) {
    if constexpr (requires { Loss::turns(values); }) {
      constexpr std::size_t width = simd::Pack<T>::width;
      static_assert(LogTerms::most % width == 0);
      const bool narrow = in.outputs >= 2 && in.outputs <= simd::most_columns && Loss::turns(values);
      if (narrow && i % width == 0 && i + width <= in.rows &&
          turned_rows<Loss, T>(in, i, scale, gradient, gradient_row, terms)) {
        i += width - 1;
        const std::size_t at = i % LogTerms::most;
        if (at + 1 == LogTerms::most || i + 1 == in.rows) terms.finish(at + 1, value + i - at);
        continue;
      }
    }
    const auto r = static_cast<std::ptrdiff_t>(i);
    const double weight = row_weight(in, i);
    T* g = gradient + r * gradient_row;
    // A row of weight zero counts as absent, even where its loss is not finite or its label no class.
    const bool absent = weight == 0;
    if (absent) std::fill_n(g, in.outputs, T(0));
    if constexpr (by_element) {
      value[i] = absent
                     ? 0
                     : weight * row_by_element<Loss, T>(p, in.outputs, in.prediction + r * in.prediction_row,
                                                        in.target + r * in.target_row, scale * weight, g);
    } else if constexpr (std::is_same_v<decltype(row<Loss, T>(values, in, i, scale, g)), LogTerm>) {
      const std::size_t at = i % LogTerms::most;
      terms.set(at, absent ? LogTerm{0, 0, 1, 0} : row<Loss, T>(values, in, i, scale * weight, g), weight);
      if (at + 1 == LogTerms::most || i + 1 == in.rows) terms.finish(at + 1, value + i - at);
    } else {
      value[i] = absent ? 0 : weight * row<Loss, T>(values, in, i, scale * weight, g);
    }
  }
}

// The flags of a loss, or what holds without them.
template <class Loss>
constexpr bool from_logits = [] {
  if constexpr (requires { Loss::from_logits; }) return Loss::from_logits;
  return false;
}();
template <class Loss>
constexpr bool trainable = [] {
  if constexpr (requires { Loss::trainable; }) return Loss::trainable;
  return true;
}();
template <class Loss>
constexpr bool signs = [] {
  if constexpr (requires { Loss::signs; }) return Loss::signs;
  return false;
}();
template <class Loss>
constexpr bool elementwise = requires { Loss::averaged; };
template <class Loss>
constexpr int outputs_per_target = [] {
  if constexpr (requires { Loss::outputs_per_target; }) return Loss::outputs_per_target;
  return 1;
}();
template <class Loss>
constexpr int ignore_parameter = [] {
  if constexpr (requires { Loss::ignore_parameter; }) return Loss::ignore_parameter;
  return -1;
}();

template <class T>
constexpr auto table = []<class... Ls>(List<Ls...>) {
  return std::array{LossKernel<T>{&run<Ls, T>, from_logits<Ls>, trainable<Ls>, signs<Ls>, elementwise<Ls>,
                                  outputs_per_target<Ls>, ignore_parameter<Ls>}...};
}(Losses{});

using Times = void (*)(const Values&, const LossRows<double>&, double, const double*, double*);

template <class Loss>
void times(const Values& values, const LossRows<double>& in, double scale, const double* v, double* out) {
  const std::size_t n = in.outputs;
  for (std::size_t i = 0; i < in.rows; ++i, v += n, out += n) {
    const auto r = static_cast<std::ptrdiff_t>(i);
    const double factor = scale * row_weight(in, i);
    const double* y = in.prediction + r * in.prediction_row;
    if (factor == 0) {
      std::fill_n(out, n, 0.0);
      continue;
    }
    if constexpr (requires { Loss::averaged; }) {
      const double* t = in.target + r * in.target_row;
      const double share = Loss::averaged ? 1 / static_cast<double>(n) : 1.0;
      for (std::size_t j = 0; j < n; ++j) out[j] = share * Loss::second(values, y[j], t[j]) * v[j];
    } else if constexpr (Loss::entry.target == Target::label) {
      Loss::hessian_times(values, n, y, in.label[i], v, out);
    } else {
      Loss::hessian_times(values, n, y, in.target + r * in.target_row, v, out);
    }
    for (std::size_t j = 0; j < n; ++j) out[j] *= factor;
  }
}

constexpr auto products = []<class... Ls>(List<Ls...>) {
  return std::array<Times, sizeof...(Ls)>{&times<Ls>...};
}(Losses{});

}  // namespace

template <class T>
void LossKernel<T>::run_custom(const LossRows<T>& in, double scale, double* value, T* gradient,
                               std::ptrdiff_t gradient_row) const {
  LentBuffer<T> buffer(in.rows * in.outputs);
  const std::span<T> own = buffer.span();
  (*custom)(in, value, own.data());
  for (std::size_t i = 0; i < in.rows; ++i) {
    const double weight = row_weight(in, i);
    const T* from = own.data() + i * in.outputs;
    T* to = gradient + static_cast<std::ptrdiff_t>(i) * gradient_row;
    const T factor = static_cast<T>(scale * weight);
    value[i] = weight == 0 ? 0 : weight * value[i];
    for (std::size_t j = 0; j < in.outputs; ++j) to[j] = weight == 0 ? T(0) : factor * from[j];
  }
}
template struct LossKernel<float>;
template struct LossKernel<double>;

template <>
const LossKernel<float>& loss_kernel(int index) {
  if (custom::is_custom(index)) return custom::loss<float>(index);
  return table<float>[static_cast<std::size_t>(index)];
}
template <>
const LossKernel<double>& loss_kernel(int index) {
  if (custom::is_custom(index)) return custom::loss<double>(index);
  return table<double>[static_cast<std::size_t>(index)];
}

void loss_hessian_times(int index, const Values& values, const LossRows<double>& rows, double scale,
                        const double* v, double* out) {
  if (custom::is_custom(index))
    throw std::invalid_argument("loss '" + std::string(custom::entry(Family::loss, index).name) +
                                "' has no second derivatives: no exact Hessian-vector products");
  products[static_cast<std::size_t>(index)](values, rows, scale, v, out);
}

}  // namespace deltarule
