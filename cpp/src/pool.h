// The threads that teams are made of.
#pragma once

namespace deltarule::engine {

// True in a process that was forked from one whose pool had threads.
bool in_forked_child();

}  // namespace deltarule::engine
