// The R-operator of normalising one line of numbers: a column of a batch, or a row.
#pragma once

#include <deltarule/engine/op.h>
#include <cmath>
#include <cstddef>
#include <vector>

namespace deltarule::engine {

// h = (x - mean) s with s = 1 / sqrt(variance + epsilon), and its tangent, in double. Not `centred`: the same
// with a mean of 0.
class NormalizedLine {
 public:
  template <class T>
  NormalizedLine(std::ptrdiff_t n, const T* x, std::ptrdiff_t step, const T* rx, std::ptrdiff_t rstep,
                 double epsilon, bool centred)
      : h(static_cast<std::size_t>(n)), rh(h.size()), count_(static_cast<double>(n)), centred_(centred) {
    double mean = 0, rmean = 0, variance = 0, rvariance = 0;
    for (std::ptrdiff_t i = 0; centred && i < n; ++i) {
      mean += static_cast<double>(x[i * step]) / count_;
      rmean += static_cast<double>(rx[i * rstep]) / count_;
    }
    for (std::size_t i = 0; i < h.size(); ++i) {
      h[i] = static_cast<double>(x[static_cast<std::ptrdiff_t>(i) * step]) - mean;
      rh[i] = static_cast<double>(rx[static_cast<std::ptrdiff_t>(i) * rstep]) - rmean;
      variance += h[i] * h[i] / count_;
      rvariance += 2 * h[i] * rh[i] / count_;
    }
    s_ = 1 / std::sqrt(variance + epsilon);
    rs_ = -s_ * s_ * s_ * rvariance / 2;
    for (std::size_t i = 0; i < h.size(); ++i) {
      rh[i] = rh[i] * s_ + h[i] * rs_;
      h[i] *= s_;
    }
  }

  // Tangent of dx = s (g - mean g - h mean(g h)), where g is the gradient of h and rg its tangent; in place
  // in rg.
  void backward(const std::vector<double>& g, std::vector<double>& rg) const {
    double a = 0, ra = 0, b = 0, rb = 0;
    for (std::size_t i = 0; i < h.size(); ++i) {
      if (centred_) {
        a += g[i] / count_;
        ra += rg[i] / count_;
      }
      b += g[i] * h[i] / count_;
      rb += (rg[i] * h[i] + g[i] * rh[i]) / count_;
    }
    for (std::size_t i = 0; i < h.size(); ++i)
      rg[i] = rs_ * (g[i] - a - h[i] * b) + s_ * (rg[i] - ra - rh[i] * b - h[i] * rb);
  }

  std::vector<double> h, rh;

 private:
  double count_, s_ = 0, rs_ = 0;
  bool centred_;
};

// All norms, with gain and shift, or without shift and mean: lines are columns (stride of the rows) or rows
// (stride 1).
template <class T>
struct NormTangent {
  std::ptrdiff_t rows, columns;
  bool by_column;
  double epsilon;
  const T* gain;
  std::ptrdiff_t gain_offset, shift_offset;
  bool centred = true;  // with mean and shift

  std::ptrdiff_t lines() const { return by_column ? columns : rows; }
  std::ptrdiff_t length() const { return by_column ? rows : columns; }
  T& at(View<T> v, std::ptrdiff_t line, std::ptrdiff_t i) const {
    return by_column ? v.at(i)[line] : v.at(line)[i];
  }
  std::ptrdiff_t column(std::ptrdiff_t line, std::ptrdiff_t i) const { return by_column ? line : i; }
  NormalizedLine line(View<T> x, View<T> rx, std::ptrdiff_t k) const {
    return NormalizedLine(length(), &at(x, k, 0), by_column ? x.row : 1, &at(rx, k, 0),
                          by_column ? rx.row : 1, epsilon, centred);
  }

  void forward(View<T> x, View<T> rx, View<T> ry, const T* direction) const {
    for (std::ptrdiff_t k = 0; k < lines(); ++k) {
      const NormalizedLine l = line(x, rx, k);
      for (std::ptrdiff_t i = 0; i < length(); ++i) {
        const auto p = static_cast<std::size_t>(i);
        const std::ptrdiff_t j = column(k, i);
        const double shift = centred ? static_cast<double>(direction[shift_offset + j]) : 0;
        at(ry, k, i) = static_cast<T>(static_cast<double>(direction[gain_offset + j]) * l.h[p] +
                                      static_cast<double>(gain[j]) * l.rh[p] + shift);
      }
    }
  }
  // `into`: tangent of the input's gradient, or no data where none is wanted.
  void backward(View<T> x, View<T> rx, View<T> dy, View<T> rdy, View<T> into, const T* direction,
                T* product) const {
    std::vector<double> g(static_cast<std::size_t>(length())), rg(g.size());
    for (std::ptrdiff_t k = 0; k < lines(); ++k) {
      const NormalizedLine l = line(x, rx, k);
      for (std::ptrdiff_t i = 0; i < length(); ++i) {
        const auto p = static_cast<std::size_t>(i);
        const std::ptrdiff_t j = column(k, i);
        const double d = static_cast<double>(at(dy, k, i)), rd = static_cast<double>(at(rdy, k, i)),
                     scale = static_cast<double>(gain[j]);
        product[gain_offset + j] += static_cast<T>(rd * l.h[p] + d * l.rh[p]);
        if (centred) product[shift_offset + j] += static_cast<T>(rd);
        g[p] = scale * d;
        rg[p] = static_cast<double>(direction[gain_offset + j]) * d + scale * rd;
      }
      if (!into.data) continue;
      l.backward(g, rg);
      for (std::ptrdiff_t i = 0; i < length(); ++i)
        at(into, k, i) = static_cast<T>(rg[static_cast<std::size_t>(i)]);
    }
  }
};

}  // namespace deltarule::engine
