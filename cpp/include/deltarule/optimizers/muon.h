// Muon: the momentum of a weight matrix, made orthogonal.
#pragma once

#include <deltarule/engine/gemm.h>
#include <deltarule/engine/squares.h>
#include <deltarule/optimizers/adam.h>
#include <deltarule/optimizers/whole.h>

namespace deltarule {

struct Muon {
  static constexpr Param parameters[] = {
      param::learning_rate(0.02),
      param::beta("momentum", 0.95, "share of the momentum that is kept, for matrices"),
      {.name = "nesterov",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "orthogonalise (1 - momentum) * g + momentum * m instead of m"},
      {.name = "newton_schulz_steps",
       .value = 5,
       .low = 1,
       .high = 20,
       .kind = Kind::integer,
       .meaning = "steps K of the iteration that makes a matrix orthogonal"},
      {.name = "scale",
       .kind = Kind::choice,
       .choices = "original|match_rms",
       .meaning = "factor s of a matrix: sqrt(max(1, outputs / inputs)), or 0.2 sqrt(max(outputs, inputs)), "
                  "with which steps are as large as AdamW's"},
      param::weight_decay(0, param::decoupled),
      {.name = "adamw_factor",
       .value = 0.015,
       .low = 0,
       .high_open = true,
       .meaning = "learning rate of AdamW, as a share of learning_rate"},
      param::beta("beta_1", 0.9, "AdamW's decay of the mean of the gradient"),
      param::beta("beta_2", 0.95, "AdamW's decay of the mean of its square"),
      param::epsilon(1e-10),
  };
  static constexpr std::string_view states[] = {"first_moment", "second_moment"};
  static constexpr Entry entry{
      .name = "muon",
      .class_name = "Muon",
      .summary =
          "Orthogonalised momentum for weight matrices; AdamW for the rest: biases, gains, tables of "
          "embeddings, and what a parameter group calls as_vector (the authors: the last layer).",
      .formula =
          "m \\leftarrow \\mu m + (1-\\mu) g,\\; u = (1-\\mu) g + \\mu m,\\; X_0 = \\frac{u}{\\|u\\| + "
          "10^{-7}},\\; X_{k+1} = a X_k + (b A + c A^2) X_k,\\; A = X_k X_k^T,\\; \\theta \\leftarrow (1 - "
          "\\eta\\lambda)\\theta - \\eta s X_K \\;\\text{with } (a, b, c) = (3.4445, -4.7750, 2.0315)",
      .parameters = parameters,
      .states = states,
      .reach = Reach::tensor,
      .source = "Jordan et al. 2024, Muon: an optimizer for hidden layers; match_rms: Liu et al. 2025",
  };
  static int states_used(const Values&) { return 2; }
  // c: those of AdamW for vectors; learning rate, shrinking of matrices
  static Values prepare(const Values& p, double learning_rate, double step) {
    const double rate = learning_rate * p[6];
    Values c = AdamMoments::prepare({p[7], p[8], p[9], false}, rate, step, Decay(p[5], true, rate));
    c[9] = learning_rate;
    c[10] = Decay(p[5], true, learning_rate).shrink;
    return c;
  }

  // The passes of a matrix: u with the squared norms of its pieces, X_0, and three for every step of the
  // iteration: A, bA + cA^2, the next X (and from the last one the weights). Vectors are done in the first.
  static int passes(const Values& p) { return 2 + 3 * static_cast<int>(p[3]); }
  static int tasks(const TensorShape& shape, int pass) {
    if (!shape.matrix) return pass == 0 ? whole::pieces(shape) : 0;
    if (pass < 2) return whole::pieces(shape);
    return blocks(pass % 3 == 1 ? shape.rows : side(shape));
  }
  template <class T>
  static TensorCost cost(const Values& p, const TensorShape& shape) {
    if (!shape.matrix) return {.flops = 24 * static_cast<double>(shape.size())};
    const std::ptrdiff_t s = side(shape), along = std::max(shape.rows, shape.columns),
                         rows = std::min(block, shape.rows), of_side = std::min(block, s);
    const auto a = static_cast<double>(s), b = static_cast<double>(along);
    return {.scratch = 2 * padded(s * s) + padded(shape.size()),
            .sums = static_cast<std::size_t>(whole::pieces(shape)),
            .workspace = std::max({engine::workspace_size<T>(of_side, s, along),
                                   engine::workspace_size<T>(of_side, s, s),
                                   engine::workspace_size<T>(rows, shape.columns, s)}),
            .flops = p[3] * (3 * a * a * b + a * a * a) + 12 * a * b};
  }
  template <class T>
  static bool run(const Values& p, const Values& c, const UpdateTensor<T>& t, int pass, int task,
                  T* workspace) {
    if (!t.shape.matrix) return step_of_vector(c, t, task);
    // The iterate changes between two places.
    const std::ptrdiff_t s = side(t.shape);
    T *a = t.scratch, *b = a + padded(s * s), *x = t.gradient, *next = b + padded(s * s);
    if (pass == 0) return start(p, t, task), true;
    if (pass == 1) return normalise(t, task), true;
    const int iteration = (pass - 2) / 3;
    if (iteration % 2 == 1) std::swap(x, next);
    if (pass % 3 == 2) return gram(t.shape, x, a, task, workspace), true;
    if (pass % 3 == 0) return polynomial(s, a, b, task, workspace), true;
    const auto [begin, rows] = rows_of(t.shape.rows, task);
    iterate(t.shape, begin, rows, x, b, next, workspace);
    return iteration + 1 < static_cast<int>(p[3]) || step_of_matrix(p, c, t, begin, rows, next);
  }

 private:
  static constexpr std::ptrdiff_t block = 64;  // rows of a product that one task computes
  static int blocks(std::ptrdiff_t rows) { return static_cast<int>((rows + block - 1) / block); }
  static whole::Range rows_of(std::ptrdiff_t rows, int task) {
    const std::ptrdiff_t begin = task * block;
    return {begin, std::min(rows - begin, block)};
  }
  static std::ptrdiff_t side(const TensorShape& shape) { return std::min(shape.rows, shape.columns); }
  // Products may read a little past the end of what they read.
  static std::size_t padded(std::ptrdiff_t n) { return static_cast<std::size_t>((n + 31) / 16 * 16); }

  template <class T>
  static bool step_of_vector(const Values& constants, const UpdateTensor<T>& t, int task) {
    const auto c = whole::broadcast<T>(constants);
    const auto [begin, size] = whole::piece(t.shape, task);
    T *m = t.state[0] + begin, *v = t.state[1] + begin;
    return whole::renew(size, t.weight + begin, [&, g = t.gradient + begin](auto span, auto weight) {
      std::array<simd::Pack<T>, 2> state{span.load(m), span.load(v)};
      AdamMoments::update<2>(c, span.load(g), weight, state);
      span.store(m, state[0]);
      span.store(v, state[1]);
      return weight;
    });
  }

  template <class T>
  static void start(const Values& p, const UpdateTensor<T>& t, int task) {
    using P = simd::Pack<T>;
    const P keep(static_cast<T>(p[1])), rest(static_cast<T>(1 - p[1]));
    const bool nesterov = p[2] != 0;
    const auto [begin, size] = whole::piece(t.shape, task);
    T *x = t.gradient + begin, *m = t.state[0] + begin;
    simd::each<T>(static_cast<std::size_t>(size), [&](auto span) {
      const P entering = rest * span.load(x), mean = simd::fma(keep, span.load(m), entering);
      span.store(m, mean);
      span.store(x, nesterov ? simd::fma(keep, mean, entering) : mean);
    });
    t.sums[task] = engine::squared_norm(x, size);
  }

  template <class T>
  static void normalise(const UpdateTensor<T>& t, int task) {
    double square = 0;
    for (int i = 0; i < whole::pieces(t.shape); ++i) square += t.sums[i];
    const double norm = std::sqrt(square) + 1e-7;
    const auto [begin, size] = whole::piece(t.shape, task);
    T* x = t.gradient + begin;
    for (std::ptrdiff_t i = 0; i < size; ++i) x[i] = static_cast<T>(static_cast<double>(x[i]) / norm);
  }

  // Rows of x x^T, or of x^T x where that is smaller. It is symmetric to the last bit: what is left of the
  // diagonal is computed, and copied to the other side.
  template <class T>
  static void gram(const TensorShape& shape, const T* x, T* a, int task, T* workspace) {
    const bool tall = shape.rows > shape.columns;
    const std::ptrdiff_t s = side(shape), step = tall ? shape.columns : 1, item = tall ? 1 : shape.columns;
    const auto [begin, rows] = rows_of(s, task);
    engine::multiply<T>({.m = rows,
                         .n = begin + rows,
                         .k = std::max(shape.rows, shape.columns),
                         .a = x + begin * item,
                         .a_row = item,
                         .a_step = step,
                         .b = x,
                         .b_step = step,
                         .b_column = item,
                         .c = a + begin * s,
                         .c_row = s},
                        workspace);
    engine::transpose<T>(rows, begin, a + begin * s, s, a + begin, s);
  }

  // Rows of bA + cA^2, symmetric as well.
  template <class T>
  static void polynomial(std::ptrdiff_t s, const T* a, T* b, int task, T* workspace) {
    using P = simd::Pack<T>;
    const P first(T(-4.7750)), second(T(2.0315));
    const auto [begin, rows] = rows_of(s, task);
    const std::ptrdiff_t columns = begin + rows;
    engine::multiply<T>({.m = rows,
                         .n = columns,
                         .k = s,
                         .a = a + begin * s,
                         .a_row = s,
                         .b = a,
                         .b_step = s,
                         .c = b + begin * s,
                         .c_row = s},
                        workspace);
    for (std::ptrdiff_t i = begin; i < begin + rows; ++i)
      simd::each<T>(static_cast<std::size_t>(columns), [&, in = a + i * s, out = b + i * s](auto span) {
        span.store(out, simd::fma(second, span.load(out), first * span.load(in)));
      });
    engine::transpose<T>(rows, begin, b + begin * s, s, b + begin, s);
  }

  // Rows of the next iterate: a x + b x, or a x + x b.
  template <class T>
  static void iterate(const TensorShape& shape, std::ptrdiff_t begin, std::ptrdiff_t rows, const T* x,
                      const T* b, T* next, T* workspace) {
    const bool tall = shape.rows > shape.columns;
    const std::ptrdiff_t s = side(shape), n = shape.columns;
    const simd::Pack<T> own(T(3.4445));
    simd::each<T>(
        static_cast<std::size_t>(rows * n),
        [&, in = x + begin * n, out = next + begin * n](auto span) { span.store(out, own * span.load(in)); });
    engine::multiply<T>({.m = rows,
                         .n = n,
                         .k = s,
                         .a = tall ? x + begin * n : b + begin * s,
                         .a_row = s,
                         .b = tall ? b : x,
                         .b_step = n,
                         .c = next + begin * n,
                         .c_row = n,
                         .start = engine::Start::accumulate},
                        workspace);
  }

  template <class T>
  static bool step_of_matrix(const Values& p, const Values& c, const UpdateTensor<T>& t, std::ptrdiff_t begin,
                             std::ptrdiff_t rows, const T* x) {
    const auto inputs = static_cast<double>(t.shape.rows), outputs = static_cast<double>(t.shape.columns);
    const double scale =
        p[4] != 0 ? 0.2 * std::sqrt(std::max(outputs, inputs)) : std::sqrt(std::max(1.0, outputs / inputs));
    const simd::Pack<T> rate(static_cast<T>(c[9] * scale)), shrink(static_cast<T>(c[10]));
    const std::ptrdiff_t n = t.shape.columns;
    return whole::renew(rows * n, t.weight + begin * n, [&, in = x + begin * n](auto span, auto weight) {
      return simd::fma(-rate, span.load(in), weight * shrink);
    });
  }
};

}  // namespace deltarule
