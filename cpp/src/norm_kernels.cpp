#include <deltarule/engine/reduce.h>
#include <deltarule/norm_kernel.h>
#include <deltarule/simd/span.h>
#include <cmath>

namespace deltarule {
namespace {

using simd::Pack;

template <class T, class F>
void columns_each(std::ptrdiff_t columns, F&& f) {
  simd::each<T>(static_cast<std::size_t>(columns), f);
}

template <class T>
Pack<T> constant(double x) {
  return Pack<T>(static_cast<T>(x));
}

}  // namespace

template <class T>
void column_moments(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, T* mean, T* deviations) {
  using P = Pack<T>;
  columns_each<T>(columns, [&](auto span) {
    // Shifted by the first row: what is summed is small even where the mean is large.
    const P origin = span.load(x.data);
    P sum = P::zero();
    for (std::ptrdiff_t i = 1; i < rows; ++i) sum += span.load(x.at(i)) - origin;
    const P m = origin + sum * constant<T>(1 / static_cast<double>(rows));
    P squares = P::zero(), rest = P::zero();
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      const P d = span.load(x.at(i)) - m;
      squares = simd::fma(d, d, squares);
      rest += d;
    }
    span.store(mean, m);
    span.store(deviations, squares - rest * rest * constant<T>(1 / static_cast<double>(rows)));
  });
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
    columns_each<T>(columns, [&](auto span) {
      const auto scaled = (span.load(x.at(i)) - span.load(mean)) * span.load(inverse);
      span.store(y.at(i), gain ? simd::fma(scaled, span.load(gain), span.load(shift)) : scaled);
    });
}

template <class T>
void batch_norm_sums(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                     const T* mean, const T* inverse, T* sum, T* product) {
  using P = Pack<T>;
  columns_each<T>(columns, [&](auto span) {
    const P m = span.load(mean);
    P s = P::zero(), p = P::zero();
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      const P g = span.load(dy.at(i));
      s += g;
      p = simd::fma(g, span.load(x.at(i)) - m, p);
    }
    span.store(sum, s);
    span.store(product, p * span.load(inverse));
  });
}

template <class T>
void batch_norm_input(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                      const T* mean, const T* inverse, const T* gain, const T* sum, const T* product,
                      double count, View<T> dx) {
  const auto share = constant<T>(1 / count);
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    columns_each<T>(columns, [&](auto span) {
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
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const T* row = x.at(i);
    const P origin(row[0]);
    const double offset =
        static_cast<double>(simd::sum<T>(n, [&](auto span) { return span.load(row) - origin; }));
    const T m = static_cast<T>(static_cast<double>(row[0]) + offset / static_cast<double>(columns));
    const T squares = simd::sum<T>(n, [&](auto span) {
      const P d = span.load(row) - P(m);
      return d * d;
    });
    const T inv =
        static_cast<T>(1 / std::sqrt(static_cast<double>(squares) / static_cast<double>(columns) + epsilon));
    simd::each<T>(n, [&](auto span) {
      span.store(y.at(i), simd::fma((span.load(row) - P(m)) * P(inv), span.load(gain), span.load(shift)));
    });
    mean[i] = m;
    inverse[i] = inv;
  }
}

template <class T>
void layer_norm_input(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                      const T* gain, const T* mean, const T* inverse, View<T> dx) {
  using P = Pack<T>;
  const auto n = static_cast<std::size_t>(columns);
  const T share = static_cast<T>(1 / static_cast<double>(columns));
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const P m(mean[i]), inv(inverse[i]);
    const P first(simd::sum<T>(n, [&](auto span) { return span.load(dy.at(i)) * span.load(gain); }) * share);
    const P second(simd::sum<T>(n,
                                [&](auto span) {
                                  return span.load(dy.at(i)) * span.load(gain) *
                                         ((span.load(x.at(i)) - m) * inv);
                                }) *
                   share);
    simd::each<T>(n, [&](auto span) {
      const P hat = (span.load(x.at(i)) - m) * inv;
      span.store(dx.at(i), (span.load(dy.at(i)) * span.load(gain) - first - hat * second) * inv);
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

#define DELTARULE_INSTANTIATE(T)                                                                         \
  template void column_moments(std::ptrdiff_t, std::ptrdiff_t, View<const T>, T*, T*);                   \
  template void merge_moments(std::ptrdiff_t, double, T*, T*, double, const T*, const T*);               \
  template void normalize_columns(std::ptrdiff_t, std::ptrdiff_t, View<const T>, const T*, const T*,     \
                                  const T*, const T*, View<T>);                                          \
  template void batch_norm_sums(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*,  \
                                const T*, T*, T*);                                                       \
  template void batch_norm_input(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*, \
                                 const T*, const T*, const T*, const T*, double, View<T>);               \
  template void layer_norm_forward(std::ptrdiff_t, std::ptrdiff_t, View<const T>, const T*, const T*,    \
                                   double, View<T>, T*, T*);                                             \
  template void layer_norm_input(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>, const T*, \
                                 const T*, const T*, View<T>);                                           \
  template void layer_norm_parameters(std::ptrdiff_t, std::ptrdiff_t, View<const T>, View<const T>,      \
                                      const T*, const T*, T*, T*);
DELTARULE_INSTANTIATE(float)
DELTARULE_INSTANTIATE(double)
#undef DELTARULE_INSTANTIATE

}  // namespace deltarule
