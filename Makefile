# make demo: train and compare on real data.   make test: build everything and run every check.
# Needed: a C++20 compiler, make, Python >= 3.10 with venv. Everything else comes from pip into .venv-*.

PYTHON ?= python3
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
LEVEL ?= native
CLANG ?= $(shell command -v clang-19 || echo clang)
RUNS ?= 1000000
# Bounded memory and time for every input, whatever it claims.
FUZZ = -max_len=4096 -rss_limit_mb=1024 -malloc_limit_mb=64 -timeout=20 -print_final_stats=1

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore
export CMAKE_BUILD_PARALLEL_LEVEL = $(JOBS)

DEMO := .venv-demo/bin
TEST := .venv-test/bin
DEV := .venv-dev/bin
SOURCES := CMakeLists.txt pyproject.toml $(wildcard cmake/*) $(shell find cpp -name '*.cpp' -o -name '*.c' -o -name '*.h')
PYTHON_SOURCES := $(wildcard python/deltarule/*.py python/deltarule/*.pyi python/deltarule/*/*.py)
CXX_FILES = $(shell find cpp tests/cpp tests/fuzz tests/consumer bench/embedded -name '*.h' -o -name '*.cpp' -o -name '*.c')

SANITIZE = cmake -S . -G Ninja -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG=-O1 -D CMAKE_C_COMPILER=$(CLANG) \
  -D CMAKE_CXX_COMPILER=$(subst clang,clang++,$(CLANG)) -D DELTARULE_BUILD_EXAMPLES=OFF -D DELTARULE_OPENMP=OFF \
  -D DELTARULE_SYSTEM_EIGEN=OFF -D Python_EXECUTABLE="$(CURDIR)/$(TEST)/python"

.PHONY: help demo test test-cpp test-python sanitize-address sanitize-thread fuzz fuzz-table test-consumer dev lint format bench clean
help:
	@sed -n '1,2s/^# //p' Makefile
	@echo "also: make dev | lint | format | test-cpp | test-python | test-consumer | test-portability"
	@echo "      sanitize-address | sanitize-thread | fuzz | fuzz-table | bench | clean"

.venv-%/.made:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "deltarule needs Python 3.10 or newer"'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -q --upgrade "pip>=25.1"
	touch $@

# ---- make demo

.venv-demo/.installed: .venv-demo/.made $(SOURCES) $(PYTHON_SOURCES)
	$(DEMO)/python -m pip install --group demo
	$(DEMO)/python -m pip install ".[cli,progress,plot,data,sklearn]"
	touch $@

demo: .venv-demo/.installed
	mkdir -p build/demo
	cd build/demo && ../../$(DEMO)/deltarule train digits
	cd build/demo && ../../$(DEMO)/deltarule train mnist5k
	cd build/demo && ../../$(DEMO)/deltarule compare digits
	cd build/demo && ../../$(DEMO)/deltarule compare mnist5k

# ---- make test

.venv-test/.tools: .venv-test/.made pyproject.toml
	$(TEST)/python -m pip install -q --group build --group test --group lint
	touch $@

# All levels; without build isolation, so that a second run compiles only what changed.
.venv-test/.installed: .venv-test/.tools $(SOURCES) $(PYTHON_SOURCES)
	PATH="$(CURDIR)/$(TEST):$$PATH" $(TEST)/python -m pip install -q --no-build-isolation --no-deps \
	  -C cmake.define.DELTARULE_WERROR=ON .
	touch $@

# With checked indices in the standard library: what sanitizers cost too much time for.
test-cpp: .venv-test/.tools
	PATH="$(CURDIR)/$(TEST):$$PATH" && cmake -S . -B build/cpp -G Ninja -D DELTARULE_ARCH=$(LEVEL) \
	  -D CMAKE_CXX_FLAGS=-D_GLIBCXX_ASSERTIONS -D DELTARULE_WERROR=ON -D DELTARULE_SYSTEM_EIGEN=OFF -D Python_EXECUTABLE="$(CURDIR)/$(TEST)/python" \
	  && cmake --build build/cpp && ctest --test-dir build/cpp --output-on-failure --no-tests=error

# A foreign project uses the C++ library: out of the wheel, out of a folder where it was installed and which was
# moved, and with these sources as a subdirectory; with every compiler that is there.
test-consumer: .venv-test/.installed
	[ -f build/cpp/cmake_install.cmake ] || $(MAKE) --no-print-directory test-cpp
	PATH="$(CURDIR)/$(TEST):$$PATH" tests/consumer/check.sh build/cpp build/consumer

# Other compilers, processors and packages: tests/portability. Each script says what it ran and what is not here.
PORTABILITY = compilers levels aarch64 foreign wheel
.PHONY: test-portability $(PORTABILITY:%=test-%)
test-portability: $(PORTABILITY:%=test-%)
$(PORTABILITY:%=test-%): .venv-test/.installed
	$(TEST)/python -m pip install -q --group release
	PATH="$(CURDIR)/$(TEST):$$PATH" PYTHON=python tests/portability/$(@:test-%=%).sh

# All C++ tests under sanitizers. Without OpenMP, of which only the number of threads is asked: the threads are our
# own, and libgomp would give false alarms. With clang, whose sanitizers report undefined casts as well.
sanitize-address: .venv-test/.tools
	PATH="$(CURDIR)/$(TEST):$$PATH" && $(SANITIZE) -B build/$@ -D DELTARULE_ARCH=$(LEVEL) \
	  -D DELTARULE_SANITIZE=address,undefined,float-cast-overflow \
	  && cmake --build build/$@ && ctest --test-dir build/$@ -j $(JOBS) --output-on-failure --no-tests=error

sanitize-thread: .venv-test/.tools
	PATH="$(CURDIR)/$(TEST):$$PATH" && $(SANITIZE) -B build/$@ -D DELTARULE_ARCH=$(LEVEL) -D DELTARULE_SANITIZE=thread \
	  && cmake --build build/$@ && ctest --test-dir build/$@ --output-on-failure --no-tests=error

# libFuzzer on the reader of model files and, with atheris, on the reader of tables: RUNS executions of each. What is
# new stays in build/; `-merge=1` takes the best of it into tests/fuzz/corpus, which the tests replay.
fuzz: .venv-test/.tools
	PATH="$(CURDIR)/$(TEST):$$PATH" && $(SANITIZE) -B build/$@ -D CMAKE_CXX_FLAGS_DEBUG=-O2 -D DELTARULE_ARCH=v2 \
	  -D DELTARULE_SANITIZE=address,undefined,float-cast-overflow -D DELTARULE_FUZZ=ON \
	  && cmake --build build/$@ --target deltarule_fuzz_model
	mkdir -p build/$@/found && cd build/$@ && ASAN_OPTIONS=malloc_context_size=4:quarantine_size_mb=16 \
	  tests/fuzz/deltarule_fuzz_model found ../../tests/fuzz/corpus/model -runs=$(RUNS) $(FUZZ)

fuzz-table: .venv-test/.installed
	$(TEST)/python -m pip install -q atheris
	mkdir -p build/$@/found && cd build/$@ && ../../$(TEST)/python ../../tests/fuzz/table.py found \
	  ../../tests/fuzz/corpus/table -runs=$(RUNS) -max_len=2048 -rss_limit_mb=1024 -timeout=10 -print_final_stats=1

test-python: .venv-test/.installed
	$(TEST)/python -m pytest

lint: .venv-test/.installed
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .
	$(TEST)/mypy
	$(TEST)/clang-format --dry-run -Werror $(CXX_FILES)

# One after the other, pytest last: its summary ends the output.
test:
	$(MAKE) --no-print-directory test-cpp
	$(MAKE) --no-print-directory .venv-test/.installed
	$(MAKE) --no-print-directory test-consumer
	$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-python

# ---- for work on deltarule

.venv-dev/.tools: .venv-dev/.made pyproject.toml
	$(DEV)/python -m pip install -q --group dev
	touch $@

# Editable, one ISA level. Python files are used in place; after a change to C++ run it again.
dev: .venv-dev/.tools
	PATH="$(CURDIR)/$(DEV):$$PATH" $(DEV)/python -m pip install -q --no-build-isolation --no-deps \
	  -C cmake.define.DELTARULE_ARCH=$(LEVEL) -C build-dir=build/dev -e .

format: .venv-test/.tools
	$(TEST)/ruff check --fix .
	$(TEST)/ruff format .
	$(TEST)/clang-format -i $(CXX_FILES)

bench: .venv-test/.installed
	$(TEST)/python -m bench run training inference

clean:
	rm -rf build .venv-demo .venv-test .venv-dev
