#include <deltarule/engine/gemm.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "random.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace deltarule::engine;
using Index = std::ptrdiff_t;

namespace {

template <class T>
struct Scratch {
  T* data;
  explicit Scratch(std::size_t n)
      : data(static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64)))) {
    std::fill_n(data, n, std::numeric_limits<T>::quiet_NaN());
  }
  ~Scratch() { ::operator delete(data, std::align_val_t(64)); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
};

template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

enum class Form { plain, transposed, strided };

// A rows x cols matrix in one of three layouts, anywhere in a line of the cache; all that is not an element
// of it is NaN.
template <class T>
struct Matrix {
  std::vector<T> data;
  Index first, row, column;
  Matrix(Index rows, Index cols, Form form, Random& random) {
    const Index slack = 64 / static_cast<Index>(sizeof(T));
    const Index gap = random.below(2) == 1 ? -cols & (slack - 1) : random.below(5);
    first = random.below(slack);
    row = form == Form::plain ? cols + gap : form == Form::transposed ? 1 : 2 * cols + gap;
    column = form == Form::plain ? 1 : form == Form::transposed ? rows + gap : 2;
    data.assign(static_cast<std::size_t>(first + rows * std::max(row, Index{1}) + cols * column + slack),
                std::numeric_limits<T>::quiet_NaN());
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; ++j) at(i, j) = static_cast<T>(random.value());
  }
  T& at(Index i, Index j) { return data[static_cast<std::size_t>(first + i * row + j * column)]; }
  const T* begin() const { return data.data() + first; }
};

#if defined(__linux__)
// A copy of [from, from + size) that ends where memory ends.
template <class T>
class Guarded {
 public:
  Guarded(const T* from, std::size_t size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), bytes = size * sizeof(T);
    used_ = (bytes + page - 1) / page * page;
    base_ = static_cast<char*>(
        mmap(nullptr, used_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base_ != MAP_FAILED);
    mprotect(base_ + used_, page, PROT_NONE);
    size_ = used_ + page;
    data = reinterpret_cast<T*>(base_ + used_ - bytes);
    if (size > 0) std::memcpy(data, from, bytes);
  }
  ~Guarded() { munmap(base_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  T* data;

 private:
  char* base_;
  std::size_t used_, size_;
};
#endif

template <class T>
void run(const Product<T>& x) {
  Scratch<T> scratch(workspace_size<T>(x.m, x.n, x.k));
#if defined(__linux__)
  if (!x.slack && x.k > 0 && x.n > 0) {
    Product<T> y = x;
    const Guarded<T> b(x.b, static_cast<std::size_t>((x.k - 1) * x.b_step + (x.n - 1) * x.b_column + 1));
    const Guarded<T> bias(x.bias, x.bias ? static_cast<std::size_t>(x.n) : 0);
    y.b = b.data, y.bias = x.bias ? bias.data : nullptr;
    return multiply(y, scratch.data);
  }
#endif
  multiply(x, scratch.data);
}

// The contract, term by term.
template <class T>
T defined_value(const Product<T>& x, Index i, Index j, T held) {
  T result = x.start == Start::zero ? T(0) : x.start == Start::bias ? x.bias[j] : held;
  for (Index p0 = 0; p0 < x.k; p0 += sum_block) {
    T sum = 0;
    for (Index p = p0; p < std::min(p0 + sum_block, x.k); ++p) {
      const T a = x.a[i * x.a_row + p * x.a_step], b = x.b[p * x.b_step + j * x.b_column];
#if defined(__FMA__) || defined(__aarch64__)
      sum = std::fma(a, b, sum);
#else
      const volatile T term = a * b;
      sum += term;
#endif
    }
    result = p0 == 0 && x.start == Start::zero ? sum : result + sum;
  }
  return x.relu && result < T(0) ? T(0) : result;
}

// Zeros in some columns (or rows) of A as a whole, neighbours mostly alike.
template <class T>
void empty_some(Matrix<T>& a, Index rows, Index columns, bool whole_rows, Random& random) {
  const Index share = random.below(11);
  bool empty = false;
  for (Index q = 0; q < (whole_rows ? rows : columns); ++q) {
    if (random.below(4) == 0) empty = random.below(10) < share;
    for (Index r = 0; empty && r < (whole_rows ? columns : rows); ++r)
      (whole_rows ? a.at(q, r) : a.at(r, q)) = random.below(2) == 1 ? T(0) : -T(0);
  }
}

enum class Gaps { none, steps, rows };

template <class T>
void check(Index m, Index n, Index k, Form form_a, Form form_b, Start start, bool relu, Random& random,
           Gaps gaps = Gaps::none) {
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  CAPTURE(static_cast<int>(form_a));
  CAPTURE(static_cast<int>(form_b));
  CAPTURE(static_cast<int>(start));
  Matrix<T> a(m, k, form_a, random), b(k, n, form_b, random), bias(1, n, Form::plain, random);
  if (gaps != Gaps::none) empty_some(a, m, k, gaps == Gaps::rows, random);
  Product<T> x{.m = m, .n = n, .k = k};
  x.a = a.begin(), x.a_row = a.row, x.a_step = a.column;
  x.b = b.begin(), x.b_step = b.row, x.b_column = b.column;
  x.zeros_win = random.below(2) == 1;
  x.c_row = n + random.below(4) * random.below(7), x.start = start,
  x.bias = start == Start::bias ? bias.begin() : nullptr, x.relu = relu, x.slack = random.below(2) == 1;
  CAPTURE(x.slack);
  std::vector<T> before(static_cast<std::size_t>((m + 2) * x.c_row + 40));
  for (auto& c : before) c = static_cast<T>(random.value());
  std::vector<T> c = before;
  const Index first = x.c_row;  // a row in front and a row behind must stay as they are
  x.c = c.data() + first;
  // Hints, which change no bit.
  x.home = static_cast<Home>(random.below(3));
  const T* const hint[] = {x.c, x.c};
  if (random.below(2) == 1) x.next = hint, x.next_row = x.c_row;
  run(x);
  Index wrong = 0, touched = 0, off = 0;
  for (std::size_t q = 0; q < c.size(); ++q) {
    const Index at = static_cast<Index>(q) - first, i = x.c_row > 0 ? at / x.c_row : 0;
    const Index j = at - i * x.c_row;
    if (at < 0 || i >= m || j >= n) {
      touched += !same_bits(c[q], before[q]);
      continue;
    }
    wrong += !same_bits(c[q], defined_value(x, i, j, before[q]));
    double exact =
        start == Start::zero ? 0 : static_cast<double>(start == Start::bias ? x.bias[j] : before[q]);
    for (Index p = 0; p < k; ++p) exact += static_cast<double>(a.at(i, p)) * static_cast<double>(b.at(p, j));
    if (relu) exact = std::max(exact, 0.0);
    const double tolerance =
        static_cast<double>(std::numeric_limits<T>::epsilon()) * (static_cast<double>(k) + 4);
    off += !(std::abs(static_cast<double>(c[q]) - exact) <= tolerance);
  }
  CHECK(wrong == 0);
  CHECK(touched == 0);
  CHECK(off == 0);
}

constexpr Form forms[] = {Form::plain, Form::transposed, Form::strided};
constexpr Start starts[] = {Start::zero, Start::bias, Start::accumulate};

}  // namespace

TEST_CASE_TEMPLATE("product: random sizes, every layout and start", T, float, double) {
  Random random;
  for (int round = 0; round < 60; ++round)
    for (Form form_a : forms)
      for (Form form_b : forms)
        for (Start start : starts)
          check<T>(1 + random.below(70), 1 + random.below(70), 1 + random.below(70), form_a, form_b, start,
                   random.below(2) == 1, random);
}

TEST_CASE_TEMPLATE("product: every small size", T, float, double) {
  Random random;
  for (Index m = 1; m <= 15; ++m)
    for (Index n = 1; n <= 36; ++n)
      for (Form form_b : {Form::plain, Form::transposed})
        check<T>(m, n, 1 + (m + n) % 11, forms[m % 2], form_b, starts[n % 3], m % 2 == 0, random);
}

TEST_CASE_TEMPLATE("product: one row or one column", T, float, double) {
  Random random;
  for (Index n = 1; n <= 290; n += 1 + n / 70)
    for (Form form_a : forms)
      for (Form form_b : {Form::plain, Form::transposed}) {
        check<T>(1, n, 1 + random.below(40), form_a, form_b, starts[n % 3], n % 2 == 0, random);
        check<T>(n, 1, 1 + random.below(40), form_a, form_b, starts[n % 3], n % 2 == 0, random);
      }
  check<T>(1, 4500, 300, Form::plain, Form::plain, Start::bias, true, random);
  check<T>(1, 4501, 259, Form::strided, Form::plain, Start::accumulate, false, random);
  check<T>(1, 1000, 600, Form::plain, Form::plain, Start::zero, true, random);
}

TEST_CASE_TEMPLATE("product: more than one block in every direction", T, float, double) {
  Random random;
  struct {
    Index m, n, k;
  } const sizes[] = {{1, 300, 784}, {50, 65, 257}, {300, 17, 300}, {260, 130, 520},
                     {33, 1, 1030}, {1, 1, 3000},  {100, 3, 700},  {3, 100, 700},
                     {2, 33, 512},  {511, 70, 33}, {90, 520, 300}, {64, 1100, 290},
                     {600, 1, 40},  {1, 2000, 40}, {4, 130, 256},  {13, 600, 511}};
  for (const auto& s : sizes)
    for (Form form_a : forms)
      for (Form form_b : forms)
        check<T>(s.m, s.n, s.k, form_a, form_b, starts[(s.m + s.n) % 3], s.n % 2 == 0, random);
}

TEST_CASE_TEMPLATE("product: few rows, much to read", T, float, double) {
  Random random;
  check<T>(2, 2200, 600, Form::plain, Form::plain, Start::bias, true, random);
  check<T>(5, 1501, 803, Form::transposed, Form::plain, Start::accumulate, false, random);
  check<T>(48, 1029, 1021, Form::strided, Form::plain, Start::zero, true, random);
  for (Index m : {1, 2, 3})
    for (int round = 0; round < 60; ++round)
      check<T>(m, 150 + random.below(40), 440 + random.below(9), Form::plain, Form::plain, starts[round % 3],
               round % 2 == 0, random);
}

TEST_CASE_TEMPLATE("product: B beyond the first cache", T, float, double) {
  Random random;
  for (Index m = 1; m <= 17; ++m)
    check<T>(m, 190 + 3 * m, 401, Form::plain, Form::plain, starts[m % 3], m % 2 == 0, random);
  check<T>(97, 333, 500, Form::plain, Form::plain, Start::bias, true, random);
}

TEST_CASE_TEMPLATE("product: columns or rows of A without a number", T, float, double) {
  Random random;
  for (int round = 0; round < 40; ++round)
    for (Form form_a : forms)
      for (Form form_b : {Form::plain, Form::transposed})
        for (Gaps gaps : {Gaps::steps, Gaps::rows}) {
          const Index most = round % 10 == 0 ? 500 : 130;
          check<T>(16 + random.below(most), 16 + random.below(most), 16 + random.below(2 * most), form_a,
                   form_b, starts[random.below(3)], random.below(2) == 1, random, gaps);
        }
  for (int round = 0; round < 30; ++round)  // one row, of which steps are left out
    for (Form form_a : forms)
      check<T>(1, 800 + random.below(300), 300 + random.below(500), form_a, Form::plain,
               starts[random.below(3)], random.below(2) == 1, random, Gaps::steps);
  for (Form form_a : forms)  // nothing at all
    for (bool zeros_win : {false, true}) {
      Matrix<T> a(40, 450, form_a, random), b(450, 100, Form::plain, random);
      for (Index i = 0; i < 40; ++i)
        for (Index p = 0; p < 450; ++p) a.at(i, p) = 0;
      std::vector<T> c(4000, T(3));
      Product<T> x{.m = 40, .n = 100, .k = 450};
      x.a = a.begin(), x.a_row = a.row, x.a_step = a.column, x.b = b.begin(), x.b_step = b.row;
      x.c = c.data(), x.c_row = 100, x.zeros_win = zeros_win;
      run(x);
      CHECK(std::ranges::all_of(c, [](T y) { return same_bits(y, T(0)); }));
    }
}

TEST_CASE_TEMPLATE("product: zeros between the elements of A are none of its elements", T, float, double) {
  Random random;
  const Index m = 40, n = 100, k = 30;
  Matrix<T> a(m, k, Form::transposed, random), b(k, n, Form::plain, random);
  a.row = 2, a.column *= 2, a.data.assign(2 * a.data.size(), T(0));
  for (Index i = 1; i < m; i += 2)
    for (Index p = 0; p < k; ++p) a.at(i, p) = static_cast<T>(random.value());
  std::vector<T> c(static_cast<std::size_t>(m * n));
  Product<T> x{.m = m, .n = n, .k = k};
  x.a = a.begin(), x.a_row = a.row, x.a_step = a.column, x.b = b.begin(), x.b_step = b.row;
  x.c = c.data(), x.c_row = n, x.zeros_win = true;
  run(x);
  Index wrong = 0;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j)
      wrong += !same_bits(c[static_cast<std::size_t>(i * n + j)], defined_value(x, i, j, T(0)));
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("product: zero times infinity is NaN, but where it may be zero", T, float, double) {
  Random random;
  for (Form form_a : {Form::plain, Form::transposed})
    for (Form form_b : {Form::plain, Form::transposed})
      for (Index place : {0, 50, 99}) {
        Matrix<T> a(64, 100, form_a, random), b(100, 128, form_b, random);
        for (Index i = 0; i < 64; ++i)
          for (Index p : {0, 49, 50, 51, 97, 98, 99}) a.at(i, p) = 0;
        for (Index p = 10; p < 40; ++p)
          for (Index i = 0; i < 64; ++i) a.at(i, p) = 0;
        b.at(place, 100) = std::numeric_limits<T>::infinity();
        std::vector<T> c(64 * 128);
        Product<T> x{.m = 64, .n = 128, .k = 100};
        x.a = a.begin(), x.a_row = a.row, x.a_step = a.column;
        x.b = b.begin(), x.b_step = b.row, x.b_column = b.column, x.c = c.data(), x.c_row = 128;
        run(x);
        for (std::size_t q = 0; q < c.size(); ++q) CHECK(std::isnan(c[q]) == (q % 128 == 100));
      }
}

TEST_CASE_TEMPLATE("product: a workspace is enough for every smaller product", T, float, double) {
  Random random;
  const auto size = [](Index m, Index n, Index k) { return workspace_size<T>(m, n, k); };
  Index wrong = 0;
  for (Index m = 1; m <= 60; ++m)
    for (Index n : {1, 40, 300, 2000, 40000})
      for (Index k : {1, 8, 100, 400, 3000})
        for (int round = 0; round < 10; ++round)
          wrong += size(1 + random.below(m), 1 + random.below(n), 1 + random.below(k)) > size(m, n, k);
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("product: empty sizes", T, float, double) {
  Random random;
  for (Start start : starts)
    for (bool relu : {false, true}) {
      check<T>(5, 7, 0, Form::plain, Form::plain, start, relu, random);
      check<T>(0, 7, 3, Form::plain, Form::plain, start, relu, random);
      check<T>(5, 0, 3, Form::plain, Form::transposed, start, relu, random);
      check<T>(0, 0, 0, Form::plain, Form::plain, start, relu, random);
    }
}

TEST_CASE_TEMPLATE("product: parts of C have the bits of the whole", T, float, double) {
  Random random;
  const Index m = 70, n = 100, k = 600;
  for (Form form_a : forms)
    for (Form form_b : forms) {
      Matrix<T> a(m, k, form_a, random), b(k, n, form_b, random);
      std::vector<T> whole(static_cast<std::size_t>(m * n)), part(whole);
      Product<T> x{.m = m, .n = n, .k = k};
      x.a = a.begin(), x.a_row = a.row, x.a_step = a.column;
      x.b = b.begin(), x.b_step = b.row, x.b_column = b.column;
      x.c = whole.data(), x.c_row = n;
      run(x);
      for (int round = 0; round < 30; ++round) {
        const Index i = random.below(m), j = random.below(n);
        const Index rows = 1 + random.below(m - i), cols = 1 + random.below(n - j);
        Product<T> y = x;
        y.m = rows, y.n = cols;
        y.a += i * x.a_row, y.b += j * x.b_column, y.c = part.data() + i * n + j;
        if (round % 2 == 1) {  // the sum in two calls, cut between blocks
          y.k = sum_block;
          run(y);
          y.k = k - sum_block, y.start = Start::accumulate;
          y.a += sum_block * x.a_step, y.b += sum_block * x.b_step;
        }
        run(y);
        Index wrong = 0;
        for (Index r = 0; r < rows; ++r)
          for (Index s = 0; s < cols; ++s) {
            const auto at = static_cast<std::size_t>((i + r) * n + j + s);
            wrong += !same_bits(whole[at], part[at]);
          }
        CHECK(wrong == 0);
      }
    }
}

TEST_CASE_TEMPLATE("product: NaN and infinity in A and B come through, relu keeps NaN", T, float, double) {
  Random random;
  Matrix<T> a(20, 30, Form::plain, random), b(30, 40, Form::plain, random);
  a.at(3, 5) = std::numeric_limits<T>::quiet_NaN();
  b.at(7, 11) = std::numeric_limits<T>::infinity();
  std::vector<T> c(800);
  Product<T> x{.m = 20, .n = 40, .k = 30};
  x.a = a.begin(), x.a_row = a.row, x.b = b.begin(), x.b_step = b.row, x.c = c.data(), x.c_row = 40;
  x.relu = true;
  run(x);
  for (Index i = 0; i < 20; ++i)
    for (Index j = 0; j < 40; ++j) {
      const T y = c[static_cast<std::size_t>(i * 40 + j)];
      if (i == 3)
        CHECK(std::isnan(y));
      else if (j == 11)
        CHECK((y == 0 || std::isinf(y)));
      else
        CHECK(std::isfinite(y));
    }
}
