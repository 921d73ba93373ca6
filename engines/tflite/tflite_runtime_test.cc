// SPDX-License-Identifier: Apache-2.0
#include "tflite_runtime.h"

#include <gtest/gtest.h>
