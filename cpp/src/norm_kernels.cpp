#include <deltarule/engine/reduce.h>
#include <deltarule/norm_kernel.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace deltarule {
namespace {

using simd::Pack;

template <class T, class F>
void columns_each(std::ptrdiff_t columns, F&& f) {
  simd::each<T>(static_cast<std::size_t>(columns), f);
}

// f(span, rows) for every pack of columns and eight rows at a time, at the end one by one: memory is read
// line after line, and what belongs to a column is fetched once for eight rows.
template <class T, class F>
void eight_rows_each(std::ptrdiff_t first, std::ptrdiff_t rows, std::ptrdiff_t columns, F&& f) {
  std::ptrdiff_t i = first;
  for (; i + 8 <= rows; i += 8) {
    std::array<std::ptrdiff_t, 8> row;
    std::iota(row.begin(), row.end(), i);
    columns_each<T>(columns, [&](auto span) { f(span, row); });
  }
  for (; i < rows; ++i) columns_each<T>(columns, [&](auto span) { f(span, std::array{i}); });
}

// The sums over a row of the K packs that f gives, four running sums of each.
template <class T, std::size_t K, class F>
std::array<T, K> row_sums(std::size_t n, F&& f) {
  using Sums = std::array<Pack<T>, K>;
  constexpr std::size_t width = Pack<T>::width;
  const auto add = [](Sums& to, const Sums& part) {
    for (std::size_t k = 0; k < K; ++k) to[k] += part[k];
  };
  Sums total;
  total.fill(Pack<T>::zero());
  std::size_t i = 0;
  if (n >= 4 * width) {
    Sums b = total, c = total, d = total;
    for (; i + 4 * width <= n; i += 4 * width) {
      add(total, f(simd::FullSpan<T>{i}));
      add(b, f(simd::FullSpan<T>{i + width}));
      add(c, f(simd::FullSpan<T>{i + 2 * width}));
      add(d, f(simd::FullSpan<T>{i + 3 * width}));
    }
    add(total, b);
    add(c, d);
    add(total, c);
  }
  for (; i + width <= n; i += width) add(total, f(simd::FullSpan<T>{i}));
  if (i < n) {
    const simd::TailSpan<T> tail{i, static_cast<int>(n - i)};
    Sums last = f(tail);
    for (auto& part : last) part = tail.only(part, T(0));
    add(total, last);
  }
  std::array<T, K> result;
  for (std::size_t k = 0; k < K; ++k) result[k] = simd::reduce_add(total[k]);
  return result;
}

template <class T>
Pack<T> constant(double x) {
  return Pack<T>(static_cast<T>(x));
}

// 1 / sqrt(mean of squares + epsilon)
template <class T>
T inverse_rms(std::size_t n, const T* x, double epsilon) {
  const T squares = row_sums<T, 1>(n, [&](auto span) {
    const Pack<T> v = span.load(x);
    return std::array{v * v};
  })[0];
  if (!std::isinf(squares))
    return static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(n) + epsilon));
  // The squares overflow: relative to the largest, where epsilon is nothing.
  double largest = 0, sum = 0;
  for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(static_cast<double>(x[j])));
  for (std::size_t j = 0; j < n; ++j) {
    const double v = static_cast<double>(x[j]) / largest;
    sum += v * v;
  }
  return static_cast<T>(1 / std::sqrt(sum / static_cast<double>(n)) / largest);
}

}  // namespace

template <class T>
void column_moments(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, T* mean, T* deviations) {
  using P = Pack<T>;
  constexpr std::ptrdiff_t chunk = 512;
  const auto share = constant<T>(1 / static_cast<double>(rows));
  for (std::ptrdiff_t begin = 0; begin < columns; begin += chunk) {
    const std::ptrdiff_t n = std::min(chunk, columns - begin);
    const View<const T> part{x.data + begin, x.row};
    T *const m = mean + begin, *const squares = deviations + begin;
    alignas(64) T rest[chunk] = {};
    std::fill_n(m, n, T(0));
    std::fill_n(squares, n, T(0));
    // Shifted by the first row: what is summed is small even where the mean is large.
    eight_rows_each<T>(1, rows, n, [&](auto span, const auto& row) {
      const P origin = span.load(part.data);
      P sum = span.load(m);
      for (const std::ptrdiff_t i : row) sum += span.load(part.at(i)) - origin;
      span.store(m, sum);
    });
    columns_each<T>(n, [&](auto span) { span.store(m, span.load(part.data) + span.load(m) * share); });
    eight_rows_each<T>(0, rows, n, [&](auto span, const auto& row) {
      const P own = span.load(m);
      P square = span.load(squares), left = span.load(rest);
      for (const std::ptrdiff_t i : row) {
        const P d = span.load(part.at(i)) - own;
        square = simd::fma(d, d, square);
        left += d;
      }
      span.store(squares, square);
      span.store(rest, left);
    });
    columns_each<T>(n, [&](auto span) {
      const P left = span.load(rest);
      span.store(squares, span.load(squares) - left * left * share);
    });
  }
}

template <class T>
void merge_moments(std::ptrdiff_t columns, double before, T* mean, T* deviations, double count,
                   const T* part_mean, const T* part_deviations) {
  const double total = before + count;
  columns_each<T>(columns, [&](auto span) {
    const auto d = span.load(part_mean) - span.load(mean);
    span.store(deviations, span.load(deviations) + span.load(part_deviations) +
                               d * d * constant<T>(before * count / total));
    span.store(mean, simd::fma(d, constant<T>(count / total), span.load(mean)));
  });
}

template <class T>
void normalize_columns(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, const T* mean,
                       const T* inverse, const T* gain, const T* shift, View<T> y) {
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    columns_each<T>(columns, [=](auto span) {
      const auto scaled = (span.load(x.at(i)) - span.load(mean)) * span.load(inverse);
      span.store(y.at(i), gain ? simd::fma(scaled, span.load(gain), span.load(shift)) : scaled);
    });
}

template <class T>
void batch_norm_sums(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                     const T* mean, const T* inverse, T* sum, T* product) {
  std::fill_n(sum, columns, T(0));
  std::fill_n(product, columns, T(0));
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    columns_each<T>(columns, [=](auto span) {
      const auto g = span.load(dy.at(i));
      span.store(sum, span.load(sum) + g);
      span.store(product, simd::fma(g, span.load(x.at(i)) - span.load(mean), span.load(product)));
    });
  columns_each<T>(columns, [=](auto span) { span.store(product, span.load(product) * span.load(inverse)); });
}

template <class T>
void batch_norm_input(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                      const T* mean, const T* inverse, const T* gain, const T* sum, const T* product,
                      double count, View<T> dx) {
  const auto share = constant<T>(1 / count);
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    columns_each<T>(columns, [=](auto span) {
      const auto inv = span.load(inverse);
      const auto hat = (span.load(x.at(i)) - span.load(mean)) * inv;
      const auto centred = span.load(dy.at(i)) - span.load(sum) * share - hat * (span.load(product) * share);
      span.store(dx.at(i), span.load(gain) * inv * centred);
    });
}

template <class T>
void layer_norm_forward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, const T* gain,
                        const T* shift, double epsilon, View<T> y, T* mean, T* inverse) {
  using P = Pack<T>;
  const auto n = static_cast<std::size_t>(columns);
  const double share = 1 / static_cast<double>(columns);
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const T* row = x.at(i);
    const P origin(row[0]);
    const double offset = static_cast<double>(
        row_sums<T, 1>(n, [&](auto span) { return std::array{span.load(row) - origin}; })[0]);
    const T m = static_cast<T>(static_cast<double>(row[0]) + offset * share);
    const T squares = row_sums<T, 1>(n, [&](auto span) {
      const P d = span.load(row) - P(m);
      return std::array{d * d};
    })[0];
    const T inv = static_cast<T>(1 / std::sqrt(static_cast<double>(squares) * share + epsilon));
    simd::each<T>(n, [&](auto span) {
      span.store(y.at(i), simd::fma((span.load(row) - P(m)) * P(inv), span.load(gain), span.load(shift)));
    });
    mean[i] = m;
    inverse[i] = inv;
  }
}

namespace {

// What a row of dx takes off dy gain: the mean of that and of its product with the normalised row.
template <class T>
struct RowMeans {
  Pack<T> mean, inverse, first, second;
  RowMeans(std::size_t n, const T* x, const T* dy, const T* gain, T m, T inv) : mean(m), inverse(inv) {
    using P = Pack<T>;
    const T share = static_cast<T>(1 / static_cast<double>(n));
    const auto sums = row_sums<T, 2>(n, [&](auto span) {
      const P g = span.load(dy) * span.load(gain);
      return std::array{g, g * ((span.load(x) - mean) * inverse)};
    });
    first = P(sums[0] * share);
    second = P(sums[1] * share);
  }
  template <class Span>
  Pack<T> normalised(Span span, const T* x) const {
    return (span.load(x) - mean) * inverse;
  }
  Pack<T> input(Pack<T> g, Pack<T> hat) const { return simd::fma(-hat, second, g - first) * inverse; }
};

}  // namespace

template <class T>
void layer_norm_input(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                      const T* gain, const T* mean, const T* inverse, View<T> dx) {
  const auto n = static_cast<std::size_t>(columns);
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const RowMeans<T> row(n, x.at(i), dy.at(i), gain, mean[i], inverse[i]);
    simd::each<T>(n, [&](auto span) {
      const auto hat = row.normalised(span, x.at(i));
      span.store(dx.at(i), row.input(span.load(dy.at(i)) * span.load(gain), hat));
    });
  }
}

template <class T>
void layer_norm_parameters(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                           const T* mean, const T* inverse, T* dgain, T* dshift) {
  using P = Pack<T>;
  engine::column_sums<T>(rows, columns, dshift,
                         [&](std::ptrdiff_t i, auto span) { return span.load(dy.at(i)); });
  engine::column_sums<T>(rows, columns, dgain, [&](std::ptrdiff_t i, auto span) {
    return span.load(dy.at(i)) * ((span.load(x.at(i)) - P(mean[i])) * P(inverse[i]));
  });
}

template <class T>
void layer_norm_backward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                         const T* gain, const T* mean, const T* inverse, View<T> dx, T* dgain, T* dshift) {
  const auto n = static_cast<std::size_t>(columns);
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const T *from = x.at(i), *gradient = dy.at(i);
    T* const to = dx.at(i);
    const RowMeans<T> row(n, from, gradient, gain, mean[i], inverse[i]);
    simd::each<T>(n, [=](auto span) {
      const auto g = span.load(gradient), hat = row.normalised(span, from);
      const auto to_gain = simd::fma(g, hat, span.load(dgain)), to_shift = span.load(dshift) + g;
      span.store(to, row.input(g * span.load(gain), hat));
      span.store(dgain, to_gain);
      span.store(dshift, to_shift);
    });
  }
}

template <class T>
void rms_norm_forward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, const T* gain,
                      double epsilon, View<T> y, T* inverse) {
  const auto n = static_cast<std::size_t>(columns);
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const T factor = inverse_rms(n, x.at(i), epsilon);
    if (inverse) inverse[i] = factor;
    simd::each<T>(
        n, [&](auto span) { span.store(y.at(i), span.load(x.at(i)) * Pack<T>(factor) * span.load(gain)); });
  }
}

#define DELTARULE_INSTANTIATE(T)                                                                            \
  template void column_moments(std::ptrdiff_t, std::ptrdiff_t, View<const T>, T*, T*);                      \
  template void merge_moments(std::ptrdiff_t, double, T*, T*, double, const T*, const T*);                  \
  template void normalize_columns(std::ptrdiff_t, std::ptrdiff_t, View<const T>, const T*, const T*,        \
                                  const T*, const T*, View<T>);                                             \
  template void batch_norm_sums(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*,     \
                                const T*, T*, T*);                                                          \
  template void batch_norm_input(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*,    \
                                 const T*, const T*, const T*, const T*, double, View<T>);                  \
  template void rms_norm_forward(std::ptrdiff_t, std::ptrdiff_t, View<const T>, const T*, double, View<T>,  \
                                 T*);                                                                       \
  template void layer_norm_forward(std::ptrdiff_t, std::ptrdiff_t, View<const T>, const T*, const T*,       \
                                   double, View<T>, T*, T*);                                                \
  template void layer_norm_input(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*,    \
                                 const T*, const T*, View<T>);                                              \
  template void layer_norm_parameters(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>,         \
                                      const T*, const T*, T*, T*);                                          \
  template void layer_norm_backward(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*, \
                                    const T*, const T*, View<T>, T*, T*);
DELTARULE_INSTANTIATE(float)
DELTARULE_INSTANTIATE(double)
#undef DELTARULE_INSTANTIATE

}  // namespace deltarule
