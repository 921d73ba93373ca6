// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <gtest/gtest.h>
