#include <deltarule/activations.h>
#include <deltarule/curvature.h>
#include <deltarule/engine/tangent.h>
#include <deltarule/layers/activation.h>
#include <deltarule/losses.h>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace deltarule {
namespace {

double logistic(double x) {
  const double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1.0) / (1 + e);
}

// f''(x) of f = x sigma(beta x)
double swish_second(double beta, double x) {
  const double s = logistic(beta * x), slope = s * logistic(-beta * x);
  return beta * slope * (2 + beta * x * (1 - 2 * s));
}

double gelu_second(double approximate, double x) {
  if (approximate == 2) return swish_second(1.702, x);
  if (approximate == 0)
    return std::fabs(x) > 40 ? 0 : std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi) * (2 - x * x);
  const double c = std::sqrt(2 / std::numbers::pi), a = 0.044715;
  const double t = std::tanh(c * (x + a * x * x * x)), slope = 1 - t * t;
  if (slope == 0) return 0;
  const double du = c * (1 + 3 * a * x * x), ddu = 6 * c * a * x;
  return slope * (du + x / 2 * (ddu - 2 * t * du * du));
}

template <class Op>
double second(const Values& p, double x) {
  constexpr std::string_view name = Op::entry.name;
  if constexpr (requires { Op::second(p, x); }) return Op::second(p, x);
  if constexpr (name == "identity" || name == "relu" || name == "leaky_relu") return 0;
  if constexpr (name == "sigmoid") {
    const double s = logistic(p[0] * x), opposite = logistic(-p[0] * x);
    return p[0] * p[0] * s * opposite * (opposite - s);
  }
  if constexpr (name == "tanh")
    return -2 * std::tanh(x) / std::pow(std::cosh(std::min(std::fabs(x), 300.0)), 2);
  if constexpr (name == "softplus") return p[0] * logistic(p[0] * x) * logistic(-p[0] * x);
  if constexpr (name == "swish") return swish_second(p[0], x);
  if constexpr (name == "gelu") return gelu_second(p[0], x);
  if constexpr (name == "elu") return x > 0 ? 0 : p[0] * std::exp(x);
  throw std::invalid_argument("activation '" + std::string(name) + "' has no second derivative yet");
}

// (d2 L / dy dy) v of a loss of whole rows: softmax and cross-entropy, with the mass of the targets.
template <class T>
void softmax_hessian(std::size_t n, const T* z, double mass, const T* v, double* out) {
  double largest = -std::numeric_limits<double>::infinity(), total = 0, mean = 0;
  for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, static_cast<double>(z[j]));
  for (std::size_t j = 0; j < n; ++j) total += out[j] = std::exp(static_cast<double>(z[j]) - largest);
  for (std::size_t j = 0; j < n; ++j) mean += (out[j] /= total) * static_cast<double>(v[j]);
  for (std::size_t j = 0; j < n; ++j) out[j] *= mass * (static_cast<double>(v[j]) - mean);
}

template <class Loss, class T>
void hessian(const Values& p, std::size_t n, const T* y, const T* t, const T* v, double* out) {
  constexpr std::string_view name = Loss::entry.name;
  if constexpr (requires { Loss::second(p, 0.0, 0.0); }) {
    const double share = Loss::averaged ? 1 / static_cast<double>(n) : 1.0;
    for (std::size_t j = 0; j < n; ++j)
      out[j] = share * Loss::second(p, static_cast<double>(y[j]), static_cast<double>(t[j])) *
               static_cast<double>(v[j]);
    return;
  }
  if constexpr (name == "sparse_softmax_cross_entropy") return softmax_hessian(n, y, 1, v, out);
  if constexpr (name == "softmax_cross_entropy") {
    double mass = p[0];  // label smoothing: (1 - s) t + s / C
    for (std::size_t j = 0; j < n; ++j) mass += (1 - p[0]) * static_cast<double>(t[j]);
    return softmax_hessian(n, y, mass, v, out);
  }
  throw std::invalid_argument("loss '" + std::string(name) + "' has no second derivatives yet");
}

}  // namespace

double activation_second(const Choice& activation, double x) {
  static constexpr auto table = []<class... Ops>(List<Ops...>) {
    return std::array{&second<Ops>...};
  }(Activations{});
  return table[static_cast<std::size_t>(activation.index)](activation.values, x);
}

template <class T>
void loss_hessian_times(const Choice& loss, std::size_t outputs, const T* prediction, const T* target,
                        const T* v, double* out) {
  static constexpr auto table = []<class... Ls>(List<Ls...>) {
    return std::array{&hessian<Ls, T>...};
  }(Losses{});
  table[static_cast<std::size_t>(loss.index)](loss.values, outputs, prediction, target, v, out);
}
template void loss_hessian_times(const Choice&, std::size_t, const float*, const float*, const float*,
                                 double*);
template void loss_hessian_times(const Choice&, std::size_t, const double*, const double*, const double*,
                                 double*);

namespace engine {

template <class T>
void activation_tangent(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x,
                        View<T> y, View<T> tangent) {
  if (activation.family == Family::row_op && activation.entry->name != "softmax")
    throw std::invalid_argument("activation '" + std::string(activation.entry->name) +
                                "' has no R-operator yet: no exact Hessian-vector products");
  // An elementwise derivative, or the softmax's symmetric Jacobian: backward is forward.
  AppliedActivation<T>(activation).backward(rows, columns, x, y, tangent);
}

template <class T>
void activation_tangent_backward(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                                 View<T> x, View<T> rx, View<T> y, View<T> ry, View<T> dy, View<T> tangent) {
  const AppliedActivation<T> applied(activation);
  if (applied.none()) return;
  if (activation.family != Family::row_op) {
    applied.backward(rows, columns, x, y, tangent);
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      for (std::ptrdiff_t j = 0; j < columns; ++j)
        if (rx.at(i)[j] != 0 && dy.at(i)[j] != 0)
          tangent.at(i)[j] += dy.at(i)[j] * rx.at(i)[j] *
                              static_cast<T>(activation_second(activation, static_cast<double>(x.at(i)[j])));
    return;
  }
  // dx = y (dy - <dy, y>)
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    T inner = 0, change = 0;
    for (std::ptrdiff_t j = 0; j < columns; ++j) {
      inner += dy.at(i)[j] * y.at(i)[j];
      change += tangent.at(i)[j] * y.at(i)[j] + dy.at(i)[j] * ry.at(i)[j];
    }
    for (std::ptrdiff_t j = 0; j < columns; ++j)
      tangent.at(i)[j] = ry.at(i)[j] * (dy.at(i)[j] - inner) + y.at(i)[j] * (tangent.at(i)[j] - change);
  }
}

template void activation_tangent(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<float>, View<float>,
                                 View<float>);
template void activation_tangent(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<double>, View<double>,
                                 View<double>);
template void activation_tangent_backward(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<float>,
                                          View<float>, View<float>, View<float>, View<float>, View<float>);
template void activation_tangent_backward(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<double>,
                                          View<double>, View<double>, View<double>, View<double>,
                                          View<double>);

}  // namespace engine
}  // namespace deltarule
