// The macros of the doctest stand-in.
#pragma once

#ifdef __clang__
#pragma clang diagnostic ignored "-Woverloaded-shift-op-parentheses"
#endif

#define DOCTEST_SHIM_JOIN2(a, b) a##b
#define DOCTEST_SHIM_JOIN(a, b) DOCTEST_SHIM_JOIN2(a, b)
#define DOCTEST_SHIM_NAME(prefix) DOCTEST_SHIM_JOIN(prefix, __LINE__)
#define DOCTEST_SHIM_HERE __FILE__, __LINE__

#define TEST_SUITE(name) namespace DOCTEST_SHIM_NAME(doctest_suite_)
#define TEST_SUITE_BEGIN(name) static_assert(true)
#define TEST_SUITE_END() static_assert(true)
#define TEST_CASE(name)                                                              \
  static void DOCTEST_SHIM_NAME(doctest_case_)();                                    \
  [[maybe_unused]] static const int DOCTEST_SHIM_NAME(doctest_added_) =              \
      doctest::shim::add(name, DOCTEST_SHIM_HERE, DOCTEST_SHIM_NAME(doctest_case_)); \
  static void DOCTEST_SHIM_NAME(doctest_case_)()
#define TEST_CASE_TEMPLATE(name, T, ...)                                                              \
  template <class T>                                                                                  \
  static void DOCTEST_SHIM_NAME(doctest_case_)();                                                     \
  [[maybe_unused]] static const int DOCTEST_SHIM_NAME(doctest_added_) =                               \
      doctest::shim::add_each<__VA_ARGS__>(name, DOCTEST_SHIM_HERE,                                   \
                                           []<class U>() { DOCTEST_SHIM_NAME(doctest_case_)<U>(); }); \
  template <class T>                                                                                  \
  static void DOCTEST_SHIM_NAME(doctest_case_)()
#define SUBCASE(name)                                                         \
  if (const doctest::shim::Subcase DOCTEST_SHIM_NAME(doctest_subcase_){name}; \
      DOCTEST_SHIM_NAME(doctest_subcase_))

#define INFO(...) \
  const doctest::shim::Info DOCTEST_SHIM_NAME(doctest_info_)(doctest::shim::joined(__VA_ARGS__))
#define CAPTURE(x) INFO(#x " := ", x)
#define MESSAGE(...) (std::cerr << doctest::shim::joined(__VA_ARGS__) << "\n")
#define FAIL(...) doctest::shim::report(false, true, DOCTEST_SHIM_HERE, doctest::shim::joined(__VA_ARGS__))
#define FAIL_CHECK(...) \
  doctest::shim::report(false, false, DOCTEST_SHIM_HERE, doctest::shim::joined(__VA_ARGS__))

#define DOCTEST_SHIM_ASSERT(required, wanted, message, ...)                               \
  do {                                                                                    \
    const doctest::shim::Outcome doctest_outcome = doctest::shim::Split{} << __VA_ARGS__; \
    doctest::shim::report(doctest_outcome.ok == wanted, required, DOCTEST_SHIM_HERE,      \
                          #__VA_ARGS__ + doctest_outcome.values + message);               \
  } while (false)
#define CHECK(...) DOCTEST_SHIM_ASSERT(false, true, "", __VA_ARGS__)
#define REQUIRE(...) DOCTEST_SHIM_ASSERT(true, true, "", __VA_ARGS__)
#define CHECK_FALSE(...) DOCTEST_SHIM_ASSERT(false, false, "", __VA_ARGS__)
#define REQUIRE_FALSE(...) DOCTEST_SHIM_ASSERT(true, false, "", __VA_ARGS__)
#define CHECK_MESSAGE(condition, ...) \
  DOCTEST_SHIM_ASSERT(false, true, "\n    " + doctest::shim::joined(__VA_ARGS__), condition)
#define REQUIRE_MESSAGE(condition, ...) \
  DOCTEST_SHIM_ASSERT(true, true, "\n    " + doctest::shim::joined(__VA_ARGS__), condition)
#define CHECK_EQ(a, b) CHECK((a) == (b))
#define CHECK_NE(a, b) CHECK((a) != (b))
#define CHECK_LT(a, b) CHECK((a) < (b))
#define CHECK_LE(a, b) CHECK((a) <= (b))
#define CHECK_GT(a, b) CHECK((a) > (b))
#define CHECK_GE(a, b) CHECK((a) >= (b))
#define REQUIRE_EQ(a, b) REQUIRE((a) == (b))
#define REQUIRE_NE(a, b) REQUIRE((a) != (b))

#define DOCTEST_SHIM_THROWS(required, type, with, expression)                                       \
  do {                                                                                              \
    doctest::shim::Outcome doctest_outcome{false, "nothing was thrown"};                            \
    try {                                                                                           \
      static_cast<void>(expression);                                                                \
    } catch (...) {                                                                                 \
      doctest_outcome = doctest::shim::caught<type>(with);                                          \
    }                                                                                               \
    doctest::shim::report(doctest_outcome.ok, required, DOCTEST_SHIM_HERE,                          \
                          #expression " should throw " #type "  [" + doctest_outcome.values + "]"); \
  } while (false)
#define DOCTEST_SHIM_ANY doctest::shim::Anything
#define CHECK_THROWS(expression) DOCTEST_SHIM_THROWS(false, DOCTEST_SHIM_ANY, DOCTEST_SHIM_ANY{}, expression)
#define CHECK_THROWS_AS(expression, type) DOCTEST_SHIM_THROWS(false, type, DOCTEST_SHIM_ANY{}, expression)
#define CHECK_THROWS_WITH(expression, with) DOCTEST_SHIM_THROWS(false, DOCTEST_SHIM_ANY, with, expression)
#define CHECK_THROWS_WITH_AS(expression, with, type) DOCTEST_SHIM_THROWS(false, type, with, expression)
#define REQUIRE_THROWS(expression) DOCTEST_SHIM_THROWS(true, DOCTEST_SHIM_ANY, DOCTEST_SHIM_ANY{}, expression)
#define REQUIRE_THROWS_AS(expression, type) DOCTEST_SHIM_THROWS(true, type, DOCTEST_SHIM_ANY{}, expression)
#define DOCTEST_SHIM_NOTHROW(required, expression)                                            \
  do {                                                                                        \
    doctest::shim::Outcome doctest_outcome{true, ""};                                         \
    try {                                                                                     \
      static_cast<void>(expression);                                                          \
    } catch (...) {                                                                           \
      doctest_outcome = doctest::shim::caught<DOCTEST_SHIM_ANY>(DOCTEST_SHIM_ANY{});          \
      doctest_outcome.ok = false;                                                             \
    }                                                                                         \
    doctest::shim::report(doctest_outcome.ok, required, DOCTEST_SHIM_HERE,                    \
                          #expression " should not throw  [" + doctest_outcome.values + "]"); \
  } while (false)
#define CHECK_NOTHROW(expression) DOCTEST_SHIM_NOTHROW(false, expression)
#define REQUIRE_NOTHROW(expression) DOCTEST_SHIM_NOTHROW(true, expression)

#ifdef DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
int main(int argc, char** argv) { return doctest::shim::main(argc, argv); }
#endif
