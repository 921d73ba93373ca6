// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether this machine has the CPU features that a module's machine code uses: without them it
/// would end the process with an illegal instruction. Knows nothing of IREE's interface.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::iree {

/// What a module says that its machine code is for; empty fields for portable bytecode.
struct CodeTarget {
  std::string cpu;                    ///< In LLVM's spelling: "znver4".
  std::vector<std::string> features;  ///< In LLVM's spelling, sorted: "avx2", "avx512vnni".
};

/// Reads the description of the target that the compiler leaves in a module.
CodeTarget FindCodeTarget(std::span<const std::byte> module);

/// Whether a feature in LLVM's spelling is one of those that CheckCpu looks at.
bool MattersToKernels(std::string_view feature);

/// The flags of the first processor in the text of /proc/cpuinfo.
std::set<std::string> CpuFlags(std::string_view cpuinfo);

/// \return kUnsupported naming the features that are not among `flags`. Features whose flag is not
/// known are passed over.
Result<> CheckCpu(const CodeTarget& target, const std::set<std::string>& flags);

}  // namespace kenning::iree
