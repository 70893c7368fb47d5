/* Extension "chronik.metrics/1": numbers that operators watch.
 *
 * A metric is registered once and then written without a call: the returned cell is a 64-bit
 * integer that the plugin updates with relaxed atomic operations. Names follow Prometheus'
 * conventions without prefix ("journal_datasyncs_total"); the host adds "chronik_<component>_" and
 * a label with the instance's name.
 */
#ifndef CHRONIK_ABI_METRICS_H
#define CHRONIK_ABI_METRICS_H

#include "chronik/abi/base.h"

CHRONIK_EXTERN_C_BEGIN

#define CHRONIK_METRICS_ID "chronik.metrics/1"

enum {
  CHRONIK_METRIC_COUNTER = 1, /* only grows; the name ends in _total */
  CHRONIK_METRIC_GAUGE = 2
};

typedef struct chronik_metrics {
  uint32_t struct_size;
  uint32_t reserved;
  void* context;
  /* The cell of the metric, made at the first call with this name; `name` and `help` are copied.
   * The cell lives as long as the process. Never NULL. [any] [may-block] [created] */
  int64_t* (*cell)(void* context, uint32_t type, const char* name,
                   const char* help)CHRONIK_NOEXCEPT;
} chronik_metrics;

CHRONIK_EXTERN_C_END

#endif /* CHRONIK_ABI_METRICS_H */
