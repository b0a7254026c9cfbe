// A stand-in for doctest (https://github.com/doctest/doctest) where it is not installed: the macros our tests
// use, with the same meaning. It prints the failing expression and, when they can be printed, the values of
// both sides. Command line: --source-file=*NAME and --test-case=NAME.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace doctest {

class Approx {
 public:
  explicit Approx(double value) : value_(value) {}
  Approx& epsilon(double e) { return epsilon_ = e, *this; }
  Approx& scale(double s) { return scale_ = s, *this; }
  bool equals(double x) const {
    return std::abs(x - value_) < epsilon_ * (scale_ + std::max(std::abs(x), std::abs(value_)));
  }
  friend bool operator==(double x, const Approx& a) { return a.equals(x); }
  friend bool operator!=(double x, const Approx& a) { return !a.equals(x); }
  friend bool operator<=(double x, const Approx& a) { return x < a.value_ || a.equals(x); }
  friend bool operator>=(double x, const Approx& a) { return x > a.value_ || a.equals(x); }
  friend std::ostream& operator<<(std::ostream& out, const Approx& a) {
    return out << "Approx(" << a.value_ << ")";
  }

 private:
  double value_;
  double epsilon_ = 100.0 * static_cast<double>(std::numeric_limits<float>::epsilon());
  double scale_ = 1.0;
};

struct Contains {
  std::string part;
  explicit Contains(std::string text) : part(std::move(text)) {}
};

// TEST_CASE("name" * doctest::skip()): run only with --no-skip.
struct skip {
  bool value;
  explicit skip(bool v = true) : value(v) {}
};

namespace shim {

struct Abort {};  // a REQUIRE failed

struct Title {
  std::string name;
  bool skipped = false;
  Title(const char* text) : name(text) {}
};

struct Test {
  Title title;
  std::string file;
  int line;
  std::function<void()> body;
};

struct State {
  std::vector<Test> tests;
  long checks = 0, failures = 0;
  std::vector<std::string> context;  // INFO
  // A test is run again until every path through its subcases has been taken once.
  std::vector<std::string> path;
  std::set<std::vector<std::string>> taken;
  std::size_t deepest = 0;
  bool again = false;
};

inline State& state() {
  static State s;
  return s;
}

inline int add(Title title, const char* file, int line, std::function<void()> body) {
  state().tests.push_back({std::move(title), file, line, std::move(body)});
  return 0;
}

template <class... T, class Body>
int add_each(Title title, const char* file, int line, Body body) {
  int index = 0;
  const std::string name = title.name;
  (add((title.name = name + "<" + std::to_string(index++) + ">", title), file, line,
       [body] { body.template operator()<T>(); }),
   ...);
  return 0;
}

template <class T>
std::string text(const T& value) {
  if constexpr (requires(std::ostream& out) { out << value; }) {
    std::ostringstream out;
    out.precision(17);
    out << std::boolalpha << value;
    return out.str();
  } else {
    return "{?}";
  }
}

template <class... T>
std::string joined(const T&... parts) {
  return (text(parts) + ... + std::string());
}

inline void report(bool ok, bool required, const char* file, int line, const std::string& what) {
  State& s = state();
  ++s.checks;
  if (ok) return;
  ++s.failures;
  std::cerr << file << ":" << line << ": " << (required ? "REQUIRE" : "CHECK") << " failed: " << what << "\n";
  for (const std::string& name : s.path) std::cerr << "    in subcase: " << name << "\n";
  for (const std::string& info : s.context) std::cerr << "    " << info << "\n";
  if (required) throw Abort{};
}

// `Split{} << a == b` keeps both sides for the message.
struct Outcome {
  bool ok;
  std::string values;
};

template <class L>
struct Left {
  const L& left;
  operator Outcome() const { return {static_cast<bool>(left), ""}; }
#define DOCTEST_SHIM_COMPARE(op)                                                   \
  template <class R>                                                               \
  friend Outcome operator op(const Left& l, const R& right) {                      \
    const bool ok = static_cast<bool>(l.left op right);                            \
    return {ok, ok ? "" : "  [" + text(l.left) + " " #op " " + text(right) + "]"}; \
  }
  DOCTEST_SHIM_COMPARE(==)
  DOCTEST_SHIM_COMPARE(!=)
  DOCTEST_SHIM_COMPARE(<)
  DOCTEST_SHIM_COMPARE(<=)
  DOCTEST_SHIM_COMPARE(>)
  DOCTEST_SHIM_COMPARE(>=)
#undef DOCTEST_SHIM_COMPARE
};

struct Split {
  template <class L>
  Left<L> operator<<(const L& left) const {
    return {left};
  }
};

class Subcase {
 public:
  explicit Subcase(std::string name) {
    State& s = state();
    if (s.path.size() < s.deepest) {  // one of this level has had its turn in this run
      s.again = true;
      return;
    }
    s.path.push_back(std::move(name));
    entered_ = !s.taken.contains(s.path);
    if (entered_) {
      s.deepest = s.path.size();
    } else {
      s.path.pop_back();
    }
  }
  ~Subcase() {
    if (!entered_) return;
    State& s = state();
    if (!s.again) s.taken.insert(s.path);
    s.path.pop_back();
  }
  Subcase(const Subcase&) = delete;
  Subcase& operator=(const Subcase&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  bool entered_ = false;
};

class Info {
 public:
  explicit Info(std::string what) { state().context.push_back(std::move(what)); }
  ~Info() { state().context.pop_back(); }
  Info(const Info&) = delete;
  Info& operator=(const Info&) = delete;
};

struct Anything {};
inline bool matches(const std::string&, Anything) { return true; }
inline bool matches(const std::string& what, const std::string& expected) { return what == expected; }
inline bool matches(const std::string& what, const Contains& c) {
  return what.find(c.part) != std::string::npos;
}

// Called inside a handler: is the exception in flight an E that says what was expected?
template <class E, class With>
Outcome caught(const With& with) {
  Outcome result{std::is_same_v<E, Anything>, "an exception without text"};
  try {
    throw;
  } catch (const std::exception& e) {
    result.values = e.what();
  } catch (...) {
  }
  try {
    throw;
  } catch (const E&) {
    result.ok = true;
  } catch (...) {
  }
  result.ok = result.ok && matches(result.values, with);
  return result;
}

inline bool run(const Test& test) {
  State& s = state();
  const long before = s.failures;
  s.taken.clear();
  do {
    s.path.clear();
    s.deepest = 0;
    s.again = false;
    try {
      test.body();
    } catch (const Abort&) {
    } catch (const std::exception& e) {
      ++s.failures;
      std::cerr << test.file << ":" << test.line << ": unexpected exception: " << e.what() << "\n";
    }
  } while (s.again);
  if (s.failures != before) std::cerr << "FAILED: " << test.title.name << " (" << test.file << ")\n\n";
  return s.failures == before;
}

inline int main(int argc, char** argv) {
  std::string file, name;
  bool no_skip = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--source-file=")) file = argument.substr(14);
    if (argument.starts_with("--test-case=")) name = argument.substr(12);
    if (argument == "--no-skip") no_skip = true;
  }
  std::erase(file, '*');
  long cases = 0, failed = 0;
  for (const Test& test : state().tests) {
    if (!test.file.ends_with(file) || (!name.empty() && test.title.name != name)) continue;
    if (test.title.skipped && !no_skip) continue;
    ++cases;
    if (!run(test)) ++failed;
  }
  std::printf("[doctest stand-in] test cases: %ld | %ld passed | %ld failed\n", cases, cases - failed,
              failed);
  std::printf("[doctest stand-in] assertions: %ld | %ld failed\n", state().checks, state().failures);
  return failed == 0 ? 0 : 1;
}

}  // namespace shim

inline shim::Title operator*(shim::Title title, skip s) {
  title.skipped = s.value;
  return title;
}

}  // namespace doctest

#include "macros.h"
