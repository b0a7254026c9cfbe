/* The highest x86-64 psABI level (1..4) that both CPU and operating system support; 0 on other processors.
   Built for the bare baseline: it must run on every CPU to say which library may be loaded.
   Two uses: the Python module deltarule._cpu, and with -DDELTARULE_CPU_PROBE a program that CMake runs. */
#if defined(__x86_64__) || defined(_M_X64)
#if defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
static void cpuid(unsigned leaf, unsigned r[4]) { __cpuidex((int*)r, (int)leaf, 0); }
static unsigned xcr0(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(unsigned leaf, unsigned r[4]) { __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]); }
static unsigned xcr0(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}
#endif

#define BIT(n) (1u << (n))
static int all(unsigned value, unsigned bits) { return (value & bits) == bits; }

static int cpu_level(void) {
  enum { A, B, C, D };
  unsigned top[4], one[4], seven[4] = {0, 0, 0, 0}, extended[4], features[4] = {0, 0, 0, 0};
  cpuid(0, top);
  cpuid(1, one);
  if (top[A] >= 7) cpuid(7, seven);
  cpuid(0x80000000u, extended);
  if (extended[A] >= 0x80000001u) cpuid(0x80000001u, features);

  /* sse3 ssse3 cmpxchg16b sse4.1 sse4.2 popcnt; lahf-sahf */
  if (!all(one[C], BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23)) || !all(features[C], BIT(0)))
    return 1;
  /* fma movbe osxsave avx f16c; bmi1 avx2 bmi2; lzcnt; the system saves xmm and ymm */
  if (!all(one[C], BIT(12) | BIT(22) | BIT(27) | BIT(28) | BIT(29))) return 2;
  if (!all(seven[B], BIT(3) | BIT(5) | BIT(8)) || !all(features[C], BIT(5)) || !all(xcr0(), 0x6u)) return 2;
  /* avx512 f dq cd bw vl; the system saves opmask and zmm */
  if (!all(seven[B], BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) || !all(xcr0(), 0xe6u)) return 3;
  return 4;
}
#else
static int cpu_level(void) { return 0; }
#endif

#ifdef DELTARULE_CPU_PROBE
#include <stdio.h>
int main(void) {
  printf("%d", cpu_level());
  return 0;
}
#else
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject* level(PyObject* self, PyObject* unused) {
  (void)self;
  (void)unused;
  return PyLong_FromLong(cpu_level());
}

static PyObject* build(PyObject* self, PyObject* unused) {
  (void)self;
  (void)unused;
  return Py_BuildValue("ss", DELTARULE_LEVELS, DELTARULE_LIBRARY);
}

static PyMethodDef methods[] = {
    {"level", level, METH_NOARGS, "Highest x86-64 level (1 to 4) this CPU and system support; 0 elsewhere."},
    {"build", build, METH_NOARGS,
     "Levels of this build, lowest first, in one string; file name of the library."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_cpu", NULL, 0, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__cpu(void) { return PyModuleDef_Init(&definition); }
#endif
