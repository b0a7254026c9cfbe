// Normalisations on arrays. Blocks of rows are summed apart and their sums added up in order, so that no bit
// depends on the number of threads.
#include <deltarule/engine/arena.h>
#include <deltarule/norm_kernel.h>

#include <cmath>

#include "common.h"
#include "pieces.h"

namespace deltarule::bindings {
namespace {

template <class T>
View<const T> view(const py::array& a, const char* name) {
  return {numbers<T>(a, name), a.shape(1)};
}

void columns_expected(const py::array& x,
                      std::initializer_list<std::pair<const py::array&, const char*>> vectors) {
  for (const auto& [a, name] : vectors) expect_shape(a, {x.shape(1)}, name);
}

// Rows that are summed together.
std::ptrdiff_t block_of(const py::array& x) {
  return std::max<std::ptrdiff_t>(
      64, static_cast<std::ptrdiff_t>(piece) / std::max<std::ptrdiff_t>(1, x.shape(1)));
}

// Two sums per column over the blocks: sum(begin, rows, a, b) for each, then add(rows_before, rows, a, b) for
// all but the first onto the first, which is what is returned.
template <class T>
class BlockSums {
 public:
  explicit BlockSums(const py::array& x)
      : rows_(x.shape(0)),
        block_(block_of(x)),
        row_(engine::padded<T>(x.shape(1))),
        sums_(static_cast<std::size_t>(2 * row_ * ((rows_ + block_ - 1) / block_))) {}
  template <class Sum, class Add>
  void run(Sum&& sum, Add&& add) {
    const auto length = static_cast<std::size_t>(block_);
    in_pieces(static_cast<std::size_t>(rows_), length, [&](std::size_t begin, std::size_t end) {
      const auto at = static_cast<std::ptrdiff_t>(begin);
      sum(at, static_cast<std::ptrdiff_t>(end) - at, first(at), second(at));
    });
    for (std::ptrdiff_t at = block_; at < rows_; at += block_)
      add(at, std::min(block_, rows_ - at), first(at), second(at));
  }
  T* first(std::ptrdiff_t row = 0) { return sums_.data() + 2 * row_ * (row / block_); }
  T* second(std::ptrdiff_t row = 0) { return first(row) + row_; }

 private:
  std::ptrdiff_t rows_, block_, row_;
  engine::Buffer<T> sums_;
};

template <class T>
void add_to(std::ptrdiff_t n, const T* from, T* to) {
  for (std::ptrdiff_t j = 0; j < n; ++j) to[j] += from[j];
}

// make(first row, rows, to) for the rows of an array of the shape of x
template <class T, class F>
void make_rows_of(const py::array& x, T* out, bool in_place, F&& make) {
  const auto rows = static_cast<std::size_t>(x.shape(0)), width = static_cast<std::size_t>(x.shape(1));
  make_rows(rows, width, static_cast<std::size_t>(block_of(x)), out, in_place,
            [&](std::size_t begin, std::size_t end, T* to) {
              make(static_cast<std::ptrdiff_t>(begin), static_cast<std::ptrdiff_t>(end - begin),
                   View<T>{to, x.shape(1)});
            });
}
template <class T>
View<const T> from_row(View<const T> x, std::ptrdiff_t i) {
  return {x.at(i), x.row};
}

void batch_norm_forward(const py::array& x, const py::array& gain, const py::array& shift, double epsilon,
                        py::array y, py::array mean, py::array inverse) {
  two_axes(x, "x");
  same_shape(x, y, "x", "y");
  if (x.shape(0) < 1) throw py::value_error("x: no rows");
  columns_expected(x, {{gain, "gain"}, {shift, "shift"}, {mean, "mean"}, {inverse, "inverse_deviation"}});
  by_type(x, "x", [&]<class T>(T) {
    const auto rows = x.shape(0), width = x.shape(1);
    const View<const T> from = view<T>(x, "x");
    const T *a = numbers<T>(gain, "gain"), *b = numbers<T>(shift, "shift");
    T *m = writable<T>(mean, "mean"), *inv = writable<T>(inverse, "inverse_deviation");
    expect_apart(y, "out", InPlace::no, gain, shift);
    T* to = writable<T>(y, "out", InPlace::possible, x);
    BlockSums<T> moments(x);
    moments.run(
        [&](std::ptrdiff_t at, std::ptrdiff_t count, T* part_mean, T* deviations) {
          column_moments<T>(count, width, from_row(from, at), part_mean, deviations);
        },
        [&](std::ptrdiff_t before, std::ptrdiff_t count, const T* part_mean, const T* deviations) {
          merge_moments<T>(width, static_cast<double>(before), moments.first(), moments.second(),
                           static_cast<double>(count), part_mean, deviations);
        });
    for (py::ssize_t j = 0; j < width; ++j) {
      m[j] = moments.first()[j];
      const double variance = static_cast<double>(moments.second()[j]) / static_cast<double>(rows);
      inv[j] = static_cast<T>(1 / std::sqrt(variance + epsilon));
    }
    make_rows_of(x, to, to == from.data, [&](std::ptrdiff_t at, std::ptrdiff_t count, View<T> into) {
      normalize_columns<T>(count, width, from_row(from, at), m, inv, a, b, into);
    });
  });
}

void batch_norm_backward(const py::array& x, const py::array& gain, const py::array& mean,
                         const py::array& inverse, const py::array& dy, py::array dx, py::array dgain,
                         py::array dshift) {
  two_axes(x, "x");
  same_shape(x, dy, "x", "dy");
  same_shape(x, dx, "x", "dx");
  columns_expected(
      x,
      {{gain, "gain"}, {mean, "mean"}, {inverse, "inverse_deviation"}, {dgain, "dgain"}, {dshift, "dshift"}});
  by_type(x, "x", [&]<class T>(T) {
    const auto rows = x.shape(0), width = x.shape(1);
    const View<const T> from = view<T>(x, "x"), g = view<T>(dy, "dy");
    const T *m = numbers<T>(mean, "mean"), *inv = numbers<T>(inverse, "inverse_deviation"),
            *a = numbers<T>(gain, "gain");
    T* gains = writable<T>(dgain, "dgain", InPlace::no, x, gain, mean, inverse, dy, dx);
    T* shifts = writable<T>(dshift, "dshift", InPlace::no, x, gain, mean, inverse, dy, dx, dgain);
    expect_apart(dx, "dx", InPlace::no, gain, mean, inverse);
    T* to = writable<T>(dx, "dx", InPlace::possible, x, dy);
    BlockSums<T> sums(x);
    sums.run(
        [&](std::ptrdiff_t at, std::ptrdiff_t count, T* sum, T* product) {
          batch_norm_sums<T>(count, width, from_row(from, at), from_row(g, at), m, inv, sum, product);
        },
        [&](std::ptrdiff_t, std::ptrdiff_t, const T* sum, const T* product) {
          add_to(width, sum, sums.first());
          add_to(width, product, sums.second());
        });
    const T *sum = sums.first(), *product = sums.second();
    if (rows > 0)
      make_rows_of(x, to, to == from.data || to == g.data,
                   [&](std::ptrdiff_t at, std::ptrdiff_t count, View<T> into) {
                     batch_norm_input<T>(count, width, from_row(from, at), from_row(g, at), m, inv, a, sum,
                                         product, static_cast<double>(rows), into);
                   });
    for (py::ssize_t j = 0; j < width; ++j) {
      gains[j] = rows > 0 ? product[j] : T(0);
      shifts[j] = rows > 0 ? sum[j] : T(0);
    }
  });
}

void layer_norm_forward_array(const py::array& x, const py::array& gain, const py::array& shift,
                              double epsilon, py::array y, py::array mean, py::array inverse) {
  two_axes(x, "x");
  same_shape(x, y, "x", "y");
  columns_expected(x, {{gain, "gain"}, {shift, "shift"}});
  expect_shape(mean, {x.shape(0)}, "mean");
  expect_shape(inverse, {x.shape(0)}, "inverse_deviation");
  if (x.shape(1) < 1) throw py::value_error("x: no columns");
  by_type(x, "x", [&]<class T>(T) {
    const View<const T> from = view<T>(x, "x");
    const T *a = numbers<T>(gain, "gain"), *b = numbers<T>(shift, "shift");
    T *m = writable<T>(mean, "mean"), *inv = writable<T>(inverse, "inverse_deviation");
    expect_apart(y, "out", InPlace::no, gain, shift);
    T* to = writable<T>(y, "out", InPlace::possible, x);
    make_rows_of(x, to, to == from.data, [&](std::ptrdiff_t at, std::ptrdiff_t count, View<T> into) {
      layer_norm_forward<T>(count, x.shape(1), from_row(from, at), a, b, epsilon, into, m + at, inv + at);
    });
  });
}

void layer_norm_backward_array(const py::array& x, const py::array& gain, const py::array& mean,
                               const py::array& inverse, const py::array& dy, py::array dx, py::array dgain,
                               py::array dshift) {
  two_axes(x, "x");
  same_shape(x, dy, "x", "dy");
  same_shape(x, dx, "x", "dx");
  columns_expected(x, {{gain, "gain"}, {dgain, "dgain"}, {dshift, "dshift"}});
  expect_shape(mean, {x.shape(0)}, "mean");
  expect_shape(inverse, {x.shape(0)}, "inverse_deviation");
  by_type(x, "x", [&]<class T>(T) {
    const auto width = x.shape(1);
    const View<const T> from = view<T>(x, "x"), g = view<T>(dy, "dy");
    const T *m = numbers<T>(mean, "mean"), *inv = numbers<T>(inverse, "inverse_deviation"),
            *a = numbers<T>(gain, "gain");
    T* gains = writable<T>(dgain, "dgain", InPlace::no, x, gain, mean, inverse, dy, dx);
    T* shifts = writable<T>(dshift, "dshift", InPlace::no, x, gain, mean, inverse, dy, dx, dgain);
    expect_apart(dx, "dx", InPlace::no, gain, mean, inverse);
    T* to = writable<T>(dx, "dx", InPlace::possible, x, dy);
    BlockSums<T> sums(x);
    make_rows_of(x, to, to == from.data || to == g.data,
                 [&](std::ptrdiff_t at, std::ptrdiff_t count, View<T> into) {
                   layer_norm_backward<T>(count, width, from_row(from, at), from_row(g, at), a, m + at,
                                          inv + at, into, sums.first(at), sums.second(at));
                 });
    std::fill_n(gains, width, T(0));
    std::fill_n(shifts, width, T(0));
    for (std::ptrdiff_t at = 0; at < x.shape(0); at += block_of(x)) {
      add_to(width, sums.first(at), gains);
      add_to(width, sums.second(at), shifts);
    }
  });
}

}  // namespace

void bind_norms(py::module_& m) {
  m.def("batch_norm_forward", &batch_norm_forward);
  m.def("batch_norm_backward", &batch_norm_backward);
  m.def("layer_norm_forward", &layer_norm_forward_array);
  m.def("layer_norm_backward", &layer_norm_backward_array);
}

}  // namespace deltarule::bindings
