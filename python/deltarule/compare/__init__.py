"""The same network trained by several libraries, each in a process of its own."""
