// SPDX-License-Identifier: Apache-2.0
#include "resource/fetch/fetch.h"
#include "resource/fetch_part.h"

extern "C" __attribute__((visibility("default"))) const kenning::internal::FetchPart*
kenning_part_fetch_entry();

extern "C" const kenning::internal::FetchPart* kenning_part_fetch_entry() {
  static const kenning::internal::FetchPart part = {
      .download = kenning::internal::DownloadWithCurl,
      .extract = kenning::internal::ExtractWithLibarchive,
  };
  return &part;
}
