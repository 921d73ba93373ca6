// SPDX-License-Identifier: Apache-2.0
/// \file
/// TVM's threads. TVM keeps one pool a calling thread, made when that thread first runs a model.
#pragma once

namespace kenning::tvm_engine {

/// Logical processors that this process may use.
int AvailableProcessors();

/// Lets TVM make pools as large as this machine, unbound to processors unless TVM_BIND_THREADS says
/// otherwise. Once a process, before a model runs; safe to repeat.
void PrepareThreads();

/// The calling thread's models run on this many threads from now on. Cheap where it was so before.
/// Throws TVM's errors.
void UseThreads(int count);

}  // namespace kenning::tvm_engine
