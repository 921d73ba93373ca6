// SPDX-License-Identifier: Apache-2.0
/// \file
/// Plain text tables for the terminal.
#pragma once

#include <string>
#include <vector>

namespace kenning {

/// Columns as wide as their widest cell, two spaces apart; the first `left` columns stand left, the
/// others right. Cells longer than `widest` characters lose their middle.
std::string TextTable(const std::vector<std::vector<std::string>>& rows, std::size_t left = 1,
                      std::size_t widest = 48);

/// A number with at most four significant digits: "0.0123", "1.2e-07", "inf".
std::string ShortNumber(double value);

}  // namespace kenning
